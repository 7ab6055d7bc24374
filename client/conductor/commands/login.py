"""``conductor login``: with a web browser instead of an API key."""

from __future__ import annotations

from datetime import datetime, timezone

import click

from conductor.commands.common import Seconds, json_option, print_json
from conductor.commands.printing import echo


@click.command()
@click.option(
    "--timeout",
    type=Seconds(min=1),
    default=120.0,
    show_default=True,
    help="Wait so many seconds for the person at the browser.",
)
@click.option("--no-browser", is_flag=True, help="Print the page's address instead of opening it.")
@json_option
def login(timeout: float, no_browser: bool, as_json: bool) -> None:
    """Log in with a web browser, for use without an API key.

    The token is kept in ~/.config/conductor/credentials, readable by you alone, until it expires.
    """
    import webbrowser

    from conductor.lib.browser_login import login_with_browser
    from conductor.lib.config import Config
    from conductor.lib.login.api_keys import api_key

    config = Config.load()
    if api_key(config) is not None:
        echo("conductor: an API key is configured, and is used instead of this login", err=True)
    done = login_with_browser(config, open_browser=_say if no_browser else webbrowser.open, timeout=timeout)
    if as_json:
        print_json({"account_id": done.account_id, "expiration": done.expiration, "path": str(done.path)})
        return
    until = datetime.fromtimestamp(done.expiration, timezone.utc)
    echo(f"logged in to account {done.account_id} until {until:%Y-%m-%d %H:%M} UTC ({done.path})")


def _say(page: str) -> bool:
    echo(f"open {page} in a browser on this machine", err=True)
    return True
