"""What stays on the disk: nothing that nothing refers to, whoever is killed in between, and no upload without end."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.cli import main
from conductor_mock.settings import Settings
from conductor_mock.store.belonging import FILE, NotItsDatabaseError
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.sweeper import CLEAN
from conductor_mock.upkeep import prune
from support import security_page
from support.contents import SMALL, small_contents
from support.examples import examples
from support.server import ApiCaller, candidate, md5_of, running

CONTENT = b"0123456789" * 2
PART = 8


def files(folder: Path, *names: str) -> dict[str, bytes]:
    """Contents and parts by their paths."""
    found = (
        path for name in names or ("objects", "parts", "incoming") for path in (folder / name).rglob("*")
    )
    there = {path.relative_to(folder).as_posix(): path.read_bytes() for path in found if path.is_file()}
    if not names or "objects" in names:
        there |= {SMALL + name: content for name, content in small_contents(folder).items()}
    return there


def begun(caller: ApiCaller, content: bytes = CONTENT) -> dict[str, Any]:
    answer = caller.post(
        "/api/v2/files/get_upload_urls", {"upload_files": [candidate("/proj/a.ma", content)]}
    )
    (record,) = answer.json()["multiPartURLs"]
    return dict(record)


def send(caller: ApiCaller, record: dict[str, Any], number: int, content: bytes = CONTENT) -> str:
    piece = content[(number - 1) * PART : number * PART]
    answer = caller.put(record["parts"][number - 1]["url"], piece)
    assert answer.status == 200, answer
    return answer.headers["ETag"]


def lived(folder: Path) -> dict[str, bytes]:
    """A server that held a bit of everything, and was stopped cleanly; its files."""
    with running(data_dir=folder, part_size=PART) as fake:
        caller = fake.caller()
        caller.upload("/proj/b", b"small")
        caller.submit(job_title="x" * 200_000)
        caller.post("/_mock/clock", {"until": "idle"}, query={"account": caller.client_id})
        assert caller.get("/downloads/00001").status == 201
        send(caller, begun(caller), 1)
    return files(folder)


def litter(folder: Path) -> dict[str, bytes]:
    """What crashes leave."""
    orphan = b"an orphan"
    name = hashlib.md5(orphan).hexdigest()
    account = next(path for path in (folder / "parts").iterdir())
    made = {
        f"objects/{name[:2]}/{name}": orphan,
        f"parts/{account.name}/{'0' * 32}/00001-{'a' * 32}": b"of no upload",
        f"parts/{'9' * 16}/{'0' * 32}/00001-{'a' * 32}": b"of no account",
    }
    for path, content in made.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return made


def test_the_table_of_limits_says_what_uploads_are_held_to() -> None:
    said = security_page.limits("server")
    assert said["bytes of an upload whose URL names no size"] == f"{Settings().max_unsized_bytes >> 30} GiB"


def test_a_start_after_a_crash_takes_away_what_nothing_refers_to(tmp_path: Path) -> None:
    kept = lived(tmp_path)
    litter(tmp_path)
    (tmp_path / CLEAN).unlink()
    with running(data_dir=tmp_path) as fake:
        assert files(tmp_path, "objects", "parts") == kept
        caller = fake.caller()
        assert caller.get("/downloads/00001").status == 201


def test_a_start_after_a_clean_stop_looks_through_nothing(tmp_path: Path) -> None:
    kept = lived(tmp_path)
    made = litter(tmp_path)
    with running(data_dir=tmp_path):
        assert not (tmp_path / CLEAN).exists()
        assert files(tmp_path, "objects", "parts") == kept | made
    assert (tmp_path / CLEAN).exists()


def test_prune_says_what_would_go_and_then_removes_it(tmp_path: Path) -> None:
    kept = lived(tmp_path)
    made = litter(tmp_path)
    size = f"{sum(map(len, made.values()))} bytes"
    said = CliRunner().invoke(main, ["prune", "--dry-run", "--data-dir", str(tmp_path)])
    assert (said.exit_code, said.output) == (0, f"would remove 1 content and 2 parts, {size}\n")
    assert files(tmp_path) == kept | made
    said = CliRunner().invoke(main, ["prune", "--data-dir", str(tmp_path)])
    assert (said.exit_code, said.output) == (0, f"removed 1 content and 2 parts, {size}\n")
    assert files(tmp_path) == kept
    assert (
        "removed 0 contents and 0 parts, 0 bytes"
        in CliRunner().invoke(main, ["prune", "--data-dir", str(tmp_path)]).output
    )


def test_a_directory_in_use_or_not_there_is_not_pruned(tmp_path: Path) -> None:
    with running(data_dir=tmp_path / "data"):
        said = CliRunner().invoke(main, ["prune", "--data-dir", str(tmp_path / "data")])
        assert said.exit_code == 2
        assert "in use" in said.output
    said = CliRunner().invoke(main, ["prune", "--data-dir", str(tmp_path / "none")])
    assert said.exit_code == 2
    assert "there is no data directory" in said.output
    assert not (tmp_path / "none").exists()


WRONG = ["the url is forgotten", "another one that was used", "it is gone", "a server began a new one"]
"""What a directory is given for the database that it was used with. One of before has no note of its own, and nothing
tells it from another one of before that was used."""


@pytest.mark.parametrize(
    ("wrong", "is_of_before"),
    [(wrong, False) for wrong in WRONG] + [(wrong, True) for wrong in WRONG if "used" not in wrong],
)
def test_what_the_wrong_database_does_not_refer_to_is_not_taken_away(
    tmp_path: Path, wrong: str, is_of_before: bool
) -> None:
    folder, url = tmp_path / "data", f"sqlite:///{tmp_path}/its.db"
    with running(data_dir=folder, database_url=url) as fake:
        fake.caller().upload("/proj/a", b"acknowledged" * 10_000)
        kept = files(folder, "objects", "parts")
    given: dict[str, Any] = {"data_dir": folder}
    if wrong == "another one that was used":
        given["database_url"] = f"sqlite:///{tmp_path}/other/conductor.db"
        with running(data_dir=tmp_path / "other") as fake:
            fake.caller().upload("/proj/b", b"of another")
    elif wrong == "it is gone":
        given["database_url"] = url
        for path in tmp_path.glob("its.db*"):
            path.unlink()
    if is_of_before:
        (folder / FILE).unlink()
    (folder / CLEAN).unlink()
    if wrong == "a server began a new one":
        with running(**given) as fake:  # after a crash
            fake.caller().upload("/proj/c", b"acknowledged meanwhile")
            sweeping = fake.service.sweeping
            assert sweeping is not None
            with pytest.raises(NotItsDatabaseError):
                sweeping.sweep()
    with pytest.raises(DatabaseError, match="--database-url"):
        prune(Settings(**given), dry_run=False)
    there = files(folder, "objects", "parts")
    assert kept.items() <= there.items()


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A directory whose server has stopped, and its files: what an example adds is taken away by the next."""
    folder = tmp_path_factory.mktemp("data")
    with running(data_dir=folder) as fake:
        fake.caller().upload("/proj/a", b"kept")
    return folder, files(folder)


@examples(20, full=50)
@given(
    orphans=st.sets(st.binary(min_size=1, max_size=20), max_size=5),
    others=st.sets(st.sampled_from(["x", "a" * 31, "g" * 32, ".a"])),
)
def test_contents_go_and_what_is_none_stays(
    used: tuple[Path, dict[str, bytes]], orphans: set[bytes], others: set[str]
) -> None:
    folder, kept = used[0], dict(used[1])
    for name in files(folder).keys() - kept.keys():
        (folder / name).unlink()
    for orphan in orphans:
        name = hashlib.md5(orphan).hexdigest()
        (folder / "objects" / name[:2]).mkdir(exist_ok=True)
        (folder / "objects" / name[:2] / name).write_bytes(orphan)
    for name in others:
        (folder / "objects" / "zz").mkdir(exist_ok=True)
        (folder / "objects" / "zz" / name).write_bytes(b"somebody's")
        kept[f"objects/zz/{name}"] = b"somebody's"
    assert prune(Settings(data_dir=folder), dry_run=False).contents == len(orphans - {b"kept"})
    assert files(folder) == kept


# Parts


def test_a_part_that_is_sent_again_takes_no_more_room(tmp_path: Path) -> None:
    with running(data_dir=tmp_path, part_size=PART) as fake:
        caller = fake.caller()
        record = begun(caller)
        for round_ in range(5):
            caller.put(record["parts"][0]["url"], str(round_).encode() * PART)
        etags = [send(caller, record, number) for number in (1, 1, 2, 2, 3)]
        assert len(files(tmp_path, "parts")) == 3
        parts = [{"partNumber": number, "etag": etags[index]} for number, index in ((1, 0), (2, 2), (3, 4))]
        body = {
            "uploadID": record["uploadID"],
            "hash": md5_of(CONTENT),
            "completedParts": parts,
            "project": None,
        }
        assert caller.post("/api/v2/files/multipart/complete", body).status == 200
        assert files(tmp_path, "parts") == {}


def test_parts_of_a_whole_upload_go_at_the_start_after_a_crash(tmp_path: Path) -> None:
    with running(data_dir=tmp_path, part_size=PART) as fake:
        caller = fake.caller()
        record = begun(caller)
        for number in (1, 2, 3):
            send(caller, record, number)
        (account_id,) = fake.service.accounts.ids()
        with fake.service.objects.write(
            [CONTENT]
        ) as content:  # what completing does before it forgets the parts
            fake.service.contents.add_upload(account_id, content, t_us=0)
    (tmp_path / CLEAN).unlink()
    with running(data_dir=tmp_path):
        assert files(tmp_path, "parts") == {}
        assert CONTENT in files(tmp_path, "objects").values()


# Uploads whose URL names no size


def old_url(caller: ApiCaller, content: bytes) -> str:
    body = {"upload_files": {"/proj/a.ma": md5_of(content)}}
    (url,) = caller.post("/api/files/get_upload_urls", body).json().values()
    return str(url)


@pytest.mark.parametrize(("size", "chunked"), list(itertools.product([99, 100, 101, 10_000], [False, True])))
def test_an_upload_of_the_older_form_has_an_end(tmp_path: Path, size: int, chunked: bool) -> None:
    content = bytes(size)
    with running(data_dir=tmp_path, max_unsized_bytes=100) as fake:
        caller = fake.caller()
        url = old_url(caller, content)
        if chunked:
            import io

            answer = caller.request(
                "PUT",
                url,
                headers={"Transfer-Encoding": "chunked"},
                environ={"wsgi.input": io.BytesIO(content), "wsgi.input_terminated": True},
            )
        else:
            answer = caller.put(url, content)
        assert answer.status == (200 if size <= 100 else 413), answer
        if size > 100:
            assert "--max-unsized-upload" in answer.message
        assert list(files(tmp_path).values()) == ([content] if size <= 100 else [])


def test_an_upload_of_the_newer_form_is_held_to_the_size_of_its_url(tmp_path: Path) -> None:
    with running(data_dir=tmp_path, max_unsized_bytes=3) as fake:
        fake.caller().upload("/proj/a.ma", CONTENT)
