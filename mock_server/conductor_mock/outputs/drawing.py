"""What a simulated task leaves under its output path: a picture per frame that says that it is simulated.

The same task always leaves the same bytes, and no two frames the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from conductor_mock.farm.state import Job, State
from conductor_mock.outputs.names import OutputName, output_names


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything that the outputs of a task are made of; `attempt` counts from 1."""

    account_id: str
    seed: int
    job: int
    task: int
    attempt: int
    title: str
    command: str
    frames: str
    output_path: str


def drawing_of(state: State, job: Job, index: int) -> Drawing:
    """What is needed to draw the outputs of a task, without the state."""
    task = job.tasks[index]
    return Drawing(
        state.account_id,
        state.options.seed,
        job.number,
        index,
        len(task.attempts),
        job.title,
        task.command,
        task.frames,
        job.output_path,
    )


def names_of(drawing: Drawing) -> list[OutputName]:
    """The outputs of a task, before any is drawn."""
    return output_names(
        drawing.command,
        drawing.frames,
        task=drawing.task,
        output_path=drawing.output_path,
        title=drawing.title,
    )


def draw_output(drawing: Drawing, name: OutputName) -> bytes:
    """The bytes of one of a task's outputs."""
    from conductor_mock.outputs.pictures import Caption, picture  # only here: a server starts without Pillow

    caption = Caption(
        drawing.account_id,
        drawing.seed,
        drawing.job,
        drawing.task,
        drawing.attempt,
        drawing.title,
        drawing.command,
        name.frame,
    )
    return picture(caption)
