"""The vendor's `conductor` command, version 9.2.0: software lists and uploads of paths."""

from __future__ import annotations

import json
import re
from typing import Any

from vendor.environments import CURRENT
from vendor.scenarios import after, scenario
from vendor.workstation import Ran, Workstation, md5_of

Json = dict[str, Any]
COLOURS = re.compile(r"\x1b\[\d+m")


def seen(desk: Workstation, run: Ran) -> Json:
    """What a command said, without colours, and what the server then held."""
    known = desk.account.is_known()
    entries = desk.account.asked() if known else []
    return {
        "code": run.code,
        "stdout": COLOURS.sub("", run.stdout),
        "stderr": COLOURS.sub("", run.stderr),
        "operations": [entry["operation"] for entry in entries],
        "batches": [
            json.loads(entry["body"]["text"])
            for entry in entries
            if entry["operation"] == "files.get_upload_urls"
        ],
        "held": {file["path"]: file["md5"] for file in desk.account.files()} if known else {},
    }


@scenario()
def listing_packages(desk: Workstation) -> Json:
    return seen(desk, desk.conductor("packages"))


@scenario()
def listing_packages_as_markdown(desk: Workstation) -> Json:
    return seen(desk, desk.conductor("packages", "--format", "markdown"))


@scenario()
def listing_packages_as_a_page(desk: Workstation) -> Json:
    run = desk.conductor("packages", "--format", "html", BROWSER="/bin/echo %s")
    [page] = [path.read_text() for path in (desk.folder / "tmp").glob("*.html")]
    return {**seen(desk, run), "page": page}


@scenario()
def uploading_paths(desk: Workstation) -> Json:
    scene = desk.write("scene.ma", b"a scene")
    wood, skin = desk.write("textures/wood.tx", b"wood"), desk.write("textures/deep/skin.tx", b"skin")
    run = desk.conductor("upload", "--log_dir", str(desk.folder), scene, str(desk.project / "textures"))
    sent = {scene: md5_of(b"a scene"), wood: md5_of(b"wood"), skin: md5_of(b"skin")}
    return {**seen(desk, run), "sent": sent}


@scenario()
def uploading_paths_the_deprecated_way(desk: Workstation) -> Json:
    scene, wood = desk.write("scene.ma", b"a scene"), desk.write("wood.tx", b"wood")
    run = desk.conductor("uploader", "--log_dir", str(desk.folder), "--paths", scene, "--paths", wood)
    return {**seen(desk, run), "sent": {scene: md5_of(b"a scene"), wood: md5_of(b"wood")}}


@scenario()
def uploading_nothing_that_exists(desk: Workstation) -> Json:
    return seen(desk, desk.conductor("upload", str(desk.project / "lost.ma")))


@scenario()
def asking_for_the_version(desk: Workstation) -> Json:
    return seen(desk, desk.conductor("--version"))


@after(listing_packages)
def test_packages_are_listed_below_their_hosts(result: Json) -> None:
    assert result["code"] == 0
    lines = [line.strip() for line in result["stdout"].splitlines()]
    assert "LINUX SOFTWARE" in lines
    host = next(number for number, line in enumerate(lines) if line.startswith("-- maya-io 2023.SP3"))
    assert lines[host + 1].startswith("--- arnold-maya [")
    assert result["operations"] == ["auth.token", "packages.list"]


@after(listing_packages_as_markdown)
def test_packages_are_listed_as_markdown(result: Json) -> None:
    assert result["code"] == 0
    assert "#### maya-io 2023.SP3" in result["stdout"]
    assert re.search(r"^\|arnold-maya\|[^|]+\|$", result["stdout"], re.MULTILINE)


@after(listing_packages_as_a_page)
def test_packages_are_shown_as_a_page(result: Json) -> None:
    assert result["code"] == 0
    assert "file://" in result["stdout"], "the browser was given a page"
    assert "maya-io 2023.SP3" in result["page"]


@after(uploading_paths, uploading_paths_the_deprecated_way)
def test_files_and_folders_are_uploaded_for_no_project(result: Json) -> None:
    assert result["code"] == 0
    assert result["held"] == result["sent"]
    assert {batch["project"] for batch in result["batches"]} == {None}
    assert "jobs.create" not in result["operations"]


@after(uploading_paths_the_deprecated_way)
def test_the_deprecated_uploader_says_that_it_is(result: Json) -> None:
    assert "deprecated" in result["stderr"]


@after(uploading_nothing_that_exists)
def test_a_path_that_is_not_there_is_refused_before_anything_is_sent(result: Json) -> None:
    assert result["code"] == 2
    assert "does not exist" in result["stderr"]
    assert result["operations"] == []


@after(asking_for_the_version)
def test_the_version_is_told_without_the_server(result: Json) -> None:
    assert result["code"] == 0
    assert CURRENT in result["stdout"]
    assert result["operations"] == []
