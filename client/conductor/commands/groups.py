"""Groups of commands that say which one was probably meant, whatever click's version does."""

from __future__ import annotations

import click


class NearGroup(click.Group):
    """A group whose misspelt commands are answered with the near one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant. Raises UsageError with the near name for none."""
        name = args[0]
        known = self.list_commands(ctx)
        dashed = name.replace("_", "-")
        if not ctx.resilient_parsing and not name.startswith("-") and dashed not in known:
            import difflib  # only needed to explain a mistake

            near = difflib.get_close_matches(dashed[:80], known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {name[:80]!r}.{hint}")
        return super().resolve_command(ctx, args)
