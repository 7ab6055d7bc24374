"""The same arguments to the vendor's client, 9.2.0, and to this project's: the service sees the same.

What differs on purpose is in `docs/compatibility.md`.
"""

from __future__ import annotations

from typing import Any

from vendor.scenarios import after, scenario
from vendor.wishes import render_job
from vendor.workstation import Workstation

Json = dict[str, Any]

SUBMISSIONS = 200
EXPANSIONS = 200
SEED = 20261122


def both(desk: Workstation, wishes: list[Json]) -> Json:
    """Submit everything with the one client, then with the other."""
    theirs = desk.drive("submit", wishes)
    ours = desk.drive_ours("submit_ours", wishes)
    jobs = [job["payload"] for job in sorted(desk.account.jobs(), key=lambda job: str(job["jid"]))]
    return {"wishes": wishes, "theirs": theirs, "ours": ours, "jobs": jobs}


@scenario()
def submitting_generated_arguments(desk: Workstation) -> Json:
    return both(desk, desk.drive_ours("generated", ["submissions", SUBMISSIONS, SEED]))


@scenario()
def submitting_files_either_way(desk: Workstation) -> Json:
    contents = {"scene.ma": b"a scene", "empty.txt": b"", "tex/wood.tx": b"wood", "tex/.hidden": b"h"}
    paths = [desk.write(name, content) for name, content in contents.items()]
    folder = str(desk.project / "tex")
    local = render_job(desk, upload_paths=[paths[0], paths[1], folder])
    daemon = render_job(desk, upload_paths=[*paths, folder], local_upload=False)
    enforced = render_job(
        desk, upload_paths=paths, local_upload=False, enforced_md5s={paths[0]: "kAFQmDzST7DWlj99KOF/cg=="}
    )
    return both(desk, [local, daemon, enforced])


@scenario()
def expanding_generated_paths(desk: Workstation) -> Json:
    examples = desk.drive_ours("generated", ["expansions", EXPANSIONS, SEED])
    asked = []
    for number, example in enumerate(examples):
        folder = desk.project / f"tree{number}"
        for name in example["files"]:
            desk.write(f"tree{number}/{name}", b"")
        asked.append([str(folder), [_below(str(folder), path) for path in example["paths"]]])
    return {
        "asked": asked,
        "theirs": desk.drive("expand", asked),
        "ours": desk.drive_ours("expand_ours", asked),
    }


def _below(folder: str, path: str) -> str:
    return path if path == "" or path.startswith("$") else f"{folder}/{path}"


@after(submitting_generated_arguments, submitting_files_either_way)
def test_both_clients_make_a_job_of_every_submission(result: Json) -> None:
    codes = [[answer.get("code") for answer in result[side]] for side in ("theirs", "ours")]
    assert codes == [[201] * len(result["wishes"])] * 2
    assert len(result["jobs"]) == 2 * len(result["wishes"])


@after(submitting_generated_arguments, submitting_files_either_way)
def test_fields_that_both_clients_send_are_equal(result: Json) -> None:
    count = len(result["wishes"])
    for wish, theirs, ours in zip(
        result["wishes"], result["jobs"][:count], result["jobs"][count:], strict=True
    ):
        assert {name: ours[name] for name in ours.keys() & theirs.keys()} == {
            name: theirs[name] for name in ours.keys() & theirs.keys()
        }, wish


@after(submitting_generated_arguments, submitting_files_either_way)
def test_the_clients_send_the_same_fields(result: Json) -> None:
    count = len(result["wishes"])
    for theirs, ours in zip(result["jobs"][:count], result["jobs"][count:], strict=True):
        assert ours.keys() == theirs.keys()


@after(submitting_generated_arguments)
def test_the_generated_arguments_vary(result: Json) -> None:
    names = {name for wish in result["wishes"] for name in wish}
    assert {"environment", "metadata", "notify", "priority", "autoretry_policy", "scout_frames"} <= names
    assert len(result["wishes"]) >= SUBMISSIONS // 2


@after(expanding_generated_paths)
def test_paths_mean_the_same_files_to_both(result: Json) -> None:
    for asked, theirs, ours in zip(result["asked"], result["theirs"], result["ours"], strict=True):
        if "raised" in theirs or "raised" in ours:
            assert ("raised" in theirs) == ("raised" in ours), (asked, theirs, ours)
        else:
            assert ours == theirs, asked


@after(expanding_generated_paths)
def test_the_generated_paths_find_files_and_nothing(result: Json) -> None:
    found = [len(answer["files"]) for answer in result["theirs"] if "files" in answer]
    assert max(found) > 1
    assert len(found) < len(result["theirs"])
