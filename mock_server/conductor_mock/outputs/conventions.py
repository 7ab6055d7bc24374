"""The options by which renderers are told where their pictures go and which frames they render: a row for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Convention:
    """The options of one renderer. `programs` are lower-case names without version and ending; none is any program.

    `file` names a file, `prefix` a beginning that frame numbers are added to as they are, `folder` and `name` the two
    halves of a file's name. `frames` takes a specification (wire reference 7.3), `span` first, last and step as up to
    three words, `first`, `last` and `step` one of them each.
    """

    renderer: str
    programs: tuple[str, ...] = ()
    file: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    folder: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    span: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    step: tuple[str, ...] = ()


CONVENTIONS = (
    Convention(
        "Blender",
        ("blender",),
        prefix=("-o", "--render-output"),
        frames=("-f", "--render-frame"),
        first=("-s", "--frame-start", "--start"),
        last=("-e", "--frame-end", "--end"),
        step=("-j", "--frame-jump"),
    ),
    Convention("V-Ray Standalone", ("vray",), file=("-imgFile",), frames=("-frames",)),
    Convention(
        "Maya, with any renderer",
        ("render", "mayabatch", "maya"),
        folder=("-rd",),
        name=("-im",),
        first=("-s",),
        last=("-e",),
        step=("-b",),
    ),
    Convention("Arnold", ("kick",), file=("-o",), frames=("-frame",)),
    Convention("RenderMan", ("prman",), file=("-o", "-output"), frames=("-frame", "-f")),
    Convention("Nuke", ("nuke",), frames=("-F",)),
    Convention(
        "Houdini",
        ("hython", "hrender", "hbatch", "husk", "mantra"),
        file=("-o", "--output", "--out"),
        span=("-f", "--frame", "--frames"),
    ),
    Convention("Katana", ("katana", "katanabin"), file=("--output",), frames=("-t",)),
    Convention(
        "Clarisse",
        ("crender", "cnode", "clarisse"),
        file=("-output",),
        frames=("-image_frames_list",),
        first=("-start_frame",),
        last=("-end_frame",),
        step=("-frame_step",),
    ),
    Convention("Cinema 4D", ("commandline", "c4d", "cinema 4d"), file=("-oimage",), span=("-frame",)),
    Convention("Redshift", ("redshiftcmdline",), folder=("-oip",), name=("-oin",), frames=("-frame",)),
    Convention(
        "3ds Max", ("3dsmaxcmd", "3dsmaxio", "cmaxcmd"), file=("-outputName", "-o"), frames=("-frames",)
    ),
    Convention(
        "After Effects", ("aerender",), file=("-output",), first=("-s",), last=("-e",), step=("-i",)
    ),
    Convention(
        "any other",
        file=(
            "-o", "--out", "-out", "--output", "-output", "--output-file", "--outfile", "-imgFile", "--image", "-image",
        ),
        prefix=("--render-output", "--prefix", "--output-prefix"),
        folder=("-rd", "--output-dir", "--outdir", "--out-dir", "--output-path"),
        name=("-im", "--name"),
        frames=("-F", "-f", "-frame", "--frame", "-frames", "--frames"),
        first=("-s", "--start", "-start", "--frame-start", "--start-frame"),
        last=("-e", "--end", "-end", "--frame-end", "--end-frame"),
        step=("-b", "--by", "--step"),
    ),
)  # fmt: skip
"""One row for each renderer; the last one is for every program that has none. Inferred from public manuals."""


def reference() -> str:
    """The conventions as the table of the documents."""
    lines = ["| renderer | programs | output | frames |", "|---|---|---|---|"]
    for row in CONVENTIONS:
        output = _listed(
            (row.file, ""),
            (row.prefix, "PREFIX"),
            (row.folder, "FOLDER"),
            (row.name, "NAME"),
            none="the title",
        )
        frames = _listed((row.frames, ""), (row.span, "FIRST LAST STEP"), none="")
        ends = _listed((row.first, ""), (row.last, ""), (row.step, ""), none="")
        programs = ", ".join(row.programs) or "every program without a row"
        lines.append(
            f"| {row.renderer} | {programs} | {output} | {'; '.join(part for part in (frames, ends) if part)} |"
        )
    return "\n".join(lines) + "\n"


def _listed(*parts: tuple[Sequence[str], str], none: str) -> str:
    texts = [
        " ".join(f"`{option}{f' {value}' if value else ''}`" for option in options)
        for options, value in parts
        if options
    ]
    return ", ".join(texts) or none
