"""The vendor's downloader, version 9.2.0, fetches what tasks that ran for real have left."""

from __future__ import annotations

from typing import Any

from vendor.scenarios import after, scenario
from vendor.test_downloads import contents, recorded
from vendor.wishes import render_job
from vendor.workstation import Workstation, md5_of

Json = dict[str, Any]


@scenario("--execute", "--execute-slots", "2")
def downloading_what_was_executed(desk: Workstation) -> Json:
    """Three tasks that copy an uploaded scene through an uploaded tool, and one that fails."""
    scene = desk.write("scenes/a scene.txt", b"a scene\n" * 1000)
    tool = desk.write(
        "tools/render", b'#!/bin/sh\nsed "s/scene/frame $2/" "$1" > "$3$2.txt"\necho frame $2 of $1\n'
    )
    (desk.project / "tools" / "render").chmod(0o755)
    renders = desk.project / "renders"
    tasks = [
        {"command": f'render "{scene}" {frame} "{renders}/deep_"', "frames": str(frame)}
        for frame in (1, 2, 3)
    ]
    job = render_job(
        desk,
        tasks_data=[*tasks, {"command": "exit 3", "frames": "4"}],
        upload_paths=[scene, tool],
        environment={"PATH": str(desk.project / "tools")},
    )
    desk.drive("submit", [job])
    desk.account.until_ended()
    ran = desk.conductor("download", "00001")
    return {"code": ran.code, "here": contents(renders), **recorded(desk)}


@after(downloading_what_was_executed)
def test_outputs_of_executed_tasks_arrive_with_their_true_md5s(result: Json) -> None:
    frames = {f"deep_{frame}.txt": f"a frame {frame}\n".encode() * 1000 for frame in (1, 2, 3)}

    assert result["code"] == 0
    assert result["here"] == result["rendered"] == {name: md5_of(content) for name, content in frames.items()}
    assert result["tasks"] == {"00001": ["downloaded"] * 3 + ["failed"]}
