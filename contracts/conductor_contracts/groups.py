"""Groups of commands of server and contracts: help by -h too, near names for misspelt ones, completion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from conductor_contracts.listed import Listed, ListedCommands
from conductor_contracts.printing import echo, guarded_output
from conductor_contracts.problems import clip, nearest

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

HELP = ("-h", "--help")
SHELLS = ("bash", "zsh", "fish")
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells report a program that SIGINT ended."""

_WHOLE = 1000
"""More letters than the first sentence of any command has."""


class Group(click.Group):
    """A group whose misspelt commands are answered with the near one, whatever click's version does."""

    def __init__(self, *args: Any, **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.context_settings.setdefault("help_option_names", list(HELP))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant. Raises UsageError with the near name for none."""
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and self.get_command(ctx, name) is None:
            near = nearest(name, self.list_commands(ctx))
            hint = f" Did you mean {near!r}?" if near else ""
            ctx.fail(f"No such command {clip(name)!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, each with its whole first sentence, which click would cut."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(limit=_WHOLE)) for name, command in commands if command]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


class Commands(Group):
    """The commands of a program, whose output is guarded, help included. Only the one that is asked for is loaded."""

    def __init__(self, *args: Any, listed: Mapping[str, Listed], **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.listed = listed
        self.commands = ListedCommands(listed)  # type: ignore[assignment]  # click itself only reads it

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, and load none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.listed[name].help) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands and options that begin so, with their help; loads no command."""
        from click.shell_completion import CompletionItem

        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=self.listed[name].help) for name in names]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command. Ctrl-C ends it with INTERRUPTED."""
        program = extra.get("prog_name") or self.name or "command"
        with guarded_output(program):
            try:
                return super().main(*args, **extra)
            except KeyboardInterrupt:
                echo(f"{program}: interrupted", err=True)
                raise SystemExit(INTERRUPTED) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is asked for."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            echo(f"{ctx.info_name}: interrupted", err=True)
            ctx.exit(INTERRUPTED)


COMPLETION = Listed(f"{__name__}:completion", "Print a shell's completion script.")
"""Its line, for every program to list."""


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a shell's completion script.

    For bash: eval "$(PROGRAM completion bash)" in ~/.bashrc; likewise for zsh in ~/.zshrc. For fish: PROGRAM
    completion fish > ~/.config/fish/completions/PROGRAM.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"this version of click does not know {shell}")
    root = ctx.find_root()
    name = str(root.info_name)
    variable = f"_{name.replace('-', '_').upper()}_COMPLETE"  # the one that click looks for
    echo(kind(root.command, {}, name, variable).source(), raw=True)
