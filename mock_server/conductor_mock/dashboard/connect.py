"""How programs are pointed at this server. The API key stays out of the page: `conductor-mock env` reads it."""

from __future__ import annotations

from conductor_mock.context import base_url
from conductor_mock.dashboard.shown import account_name, show

BASH = """eval "$(conductor-mock env --url {url})"
conductor submit --help"""

POWERSHELL = """conductor-mock env --url {url} |
  Select-String "^export (\\w+)='?([^']*)'?$" |
  ForEach-Object {{ Set-Item "Env:$($_.Matches[0].Groups[1].Value)" $_.Matches[0].Groups[2].Value }}"""

PYTHON = """# in a shell that was pointed here as above
from conductor.lib.conductor_submit import Submit

Submit(
    {{
        "job_title": "First job",
        "project": "default",
        "instance_type": "n1-standard-4",
        "output_path": "/tmp/frames",
        "tasks_data": [{{"command": "echo frame 1", "frames": "1"}}],
    }}
).main()"""

PYTEST = """# the plug-in comes with conductor-mock; each test has a farm of its own
def test_a_job_is_accepted(conductor_mock):
    ..."""

CIOCORE = """eval "$(conductor-mock env --url {url})"
python -c "from ciocore.data import init, data; init('maya-io'); print(data()['projects'])\""""


def connect() -> str:
    """The lines to copy, for each kind of client."""
    url = base_url()
    return show(
        "connect.html",
        account=account_name(),
        area="/connect",
        url=url,
        ways=[
            (name, why, text.format(url=url))
            for name, why, text in (
                ("bash", "Sets the URLs and the API key of the server's own account.", BASH),
                ("PowerShell", "The same, from the lines that the command prints.", POWERSHELL),
                ("Python", "The client library reads the same variables.", PYTHON),
                ("pytest", "A farm for one test, which ends with it.", PYTEST),
                ("ciocore", "The vendor's library reads the same variables too.", CIOCORE),
            )
        ],
    )
