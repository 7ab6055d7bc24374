"""What a mail of an ended job says."""

from __future__ import annotations

from conductor_contracts.problems import count
from conductor_mock.farm.ids import jid
from conductor_mock.farm.state import Mail, State


def subject(state: State, mail: Mail) -> str:
    """The subject of a mail: job, how it ended, its title."""
    return f"Job {jid(mail.job)} {mail.status}: {state.jobs[mail.job].title}"


def body(state: State, mail: Mail) -> str:
    """The text of a mail."""
    job = state.jobs[mail.job]
    return (
        f"Job {jid(mail.job)} ({job.title}) of project {job.project} has ended: {mail.status}.\n"
        f"It has {count(len(job.tasks), 'task')}; its output path is {job.output_path}.\n\n"
        "This is a simulated farm: nothing was rendered, nothing costs anything.\n"
    )
