"""``conductor completion``: what makes a shell complete the command line."""

from __future__ import annotations

import click

from conductor.commands.printing import echo

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print a shell's completion script.

    For bash: eval "$(conductor completion bash)" in ~/.bashrc; likewise for zsh in ~/.zshrc. For fish: conductor
    completion fish > ~/.config/fish/completions/conductor.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"this version of click does not know {shell}")
    root = click.get_current_context().find_root()
    name = str(root.info_name)
    variable = f"_{name.replace('-', '_').upper()}_COMPLETE"  # the one that click looks for
    echo(kind(root.command, {}, name, variable).source(), raw=True)
