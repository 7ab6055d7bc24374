"""`files.get_upload_urls`: what is wanted is what the account does not hold, by content and not by path."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.payloads import paths
from support.server import ApiCaller, Fake, candidate, md5_of, running

ROUTE = "/api/v2/files/get_upload_urls"


def ask(caller: ApiCaller, *candidates: dict[str, Any], **fields: Any) -> Any:
    """The files that are wanted, as the answer has them."""
    answer = caller.post(ROUTE, {"upload_files": list(candidates), "project": "default", **fields})
    assert answer.status == 200, answer
    assert answer.json()["multiPartURLs"] == []
    return answer.json()["singlePartURLs"]


@given(
    st.lists(st.tuples(paths, st.binary(max_size=8)), min_size=1, max_size=20, unique_by=lambda file: file[0])
)
def test_each_path_that_is_wanted_is_answered_once_with_its_size(
    shared_fake: Fake, files: list[tuple[str, bytes]]
) -> None:
    caller = shared_fake.newcomer()
    wanted = ask(caller, *(candidate(path, content) for path, content in files))

    assert [(entry["filePath"], entry["fileSize"]) for entry in wanted] == [
        (path, len(content)) for path, content in files
    ]
    for entry, (_, content) in zip(wanted, files, strict=True):
        assert caller.put(entry["preSignedURL"], content).status == 200
    assert caller.files() == {path: md5_of(content) for path, content in files}
    answer = caller.post(ROUTE, {"upload_files": [candidate(path, content) for path, content in files]})
    assert (answer.status, answer.content) == (204, b"")


def test_a_renamed_file_is_not_asked_for_again(fake: Fake) -> None:
    """The identity of an upload is its content (trap 35)."""
    caller = fake.caller()
    caller.upload("/proj/a.ma", b"scene")
    answer = caller.post(ROUTE, {"upload_files": [candidate("/proj/renamed.ma", b"scene")]})

    assert answer.status == 204
    assert list(caller.files()) == ["/proj/a.ma", "/proj/renamed.ma"]


def test_a_path_with_a_new_content_is_asked_for_again(fake: Fake) -> None:
    caller = fake.caller()
    caller.upload("/proj/a.ma", b"scene")

    assert [entry["filePath"] for entry in ask(caller, candidate("/proj/a.ma", b"a newer scene"))] == [
        "/proj/a.ma"
    ]


def test_only_what_is_missing_is_asked_for(fake: Fake) -> None:
    caller = fake.caller()
    caller.upload("/proj/a.ma", b"a")
    wanted = ask(caller, candidate("/proj/a.ma", b"a"), candidate("/proj/b.ma", b"b"))

    assert [entry["filePath"] for entry in wanted] == ["/proj/b.ma"]


def test_what_only_another_account_sent_is_still_wanted(fake: Fake) -> None:
    one, other = fake.caller("one"), fake.caller("other")
    one.upload("/proj/a.ma", b"scene")

    assert len(ask(other, candidate("/proj/a.ma", b"scene"))) == 1
    assert other.files() == {}


def test_a_file_is_not_there_before_its_body_is(fake: Fake) -> None:
    caller = fake.caller()
    ask(caller, candidate("/proj/a.ma", b"scene"))

    assert caller.files() == {}
    assert len(ask(caller, candidate("/proj/a.ma", b"scene"))) == 1


def test_two_paths_with_one_content_are_both_answered(fake: Fake) -> None:
    wanted = ask(fake.caller(), candidate("/a", b"same"), candidate("/b", b"same"))

    assert [entry["filePath"] for entry in wanted] == ["/a", "/b"]


def test_a_path_listed_twice_with_one_content_is_answered_once(fake: Fake) -> None:
    assert len(ask(fake.caller(), candidate("/a", b"same"), candidate("/a", b"same"))) == 1


@pytest.mark.parametrize("second", [candidate("/a", b"other"), {**candidate("/a", b"one"), "size": 99}])
def test_a_path_listed_twice_with_two_contents_is_refused(fake: Fake, second: dict[str, Any]) -> None:
    answer = fake.caller().post(ROUTE, {"upload_files": [candidate("/a", b"one"), second]})

    assert answer.status == 400
    assert list(answer.faults) == ["/upload_files/1/path"]


@pytest.mark.parametrize("project", ["default", None, ...])
def test_the_project_may_be_missing(fake: Fake, project: Any) -> None:
    """`conductor upload` sends null."""
    caller = fake.caller()
    fields = {} if project is ... else {"project": project}
    assert caller.post(ROUTE, {"upload_files": [candidate("/a", b"x")], **fields}).status == 200
    assert warnings_of(caller) == []


def warnings_of(caller: ApiCaller) -> list[str]:
    """The warnings of the newest POST."""
    found = caller.get("/_mock/requests", query={"account": "studio", "method": "POST"}).json()["requests"]
    warnings: list[str] = found[-1]["warnings"]
    return warnings


def test_an_unknown_project_is_a_warning(fake: Fake) -> None:
    caller = fake.caller()
    ask(caller, candidate("/a", b"x"), project="nobody's")

    assert warnings_of(caller) == ['/project the catalogue has no project "nobody\'s"']


def test_an_unknown_field_is_a_warning_that_names_the_closest(fake: Fake) -> None:
    caller = fake.caller()
    ask(caller, {**candidate("/a", b"x"), "sizes": 1})

    assert warnings_of(caller) == ["/upload_files/0/sizes is not in the contract; did you mean 'size'?"]


@pytest.mark.parametrize(
    ("fields", "place"),
    [({"project": "nobody's"}, "/project"), ({"projekt": "default"}, "/projekt")],
)
def test_a_strict_server_refuses_what_it_does_not_know(fields: dict[str, Any], place: str) -> None:
    with running(strict=True) as fake:
        caller = fake.caller()
        answer = caller.post(ROUTE, {"upload_files": [candidate("/a", b"x")], **fields})

        assert answer.status == 400
        assert list(answer.faults) == [place]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"path": ""}, "/upload_files/0/path"),
        ({"path": "relative/a.ma"}, "/upload_files/0/path"),
        ({"path": "/nul\0"}, "/upload_files/0/path"),
        ({"path": None}, "/upload_files/0/path"),
        ({"hash": "kAFQmDzST7DWlj99KOF"}, "/upload_files/0/hash"),
        ({"hash": "900150983cd24fb0d6963f7d28e17f72"}, "/upload_files/0/hash"),
        ({"hash": None}, "/upload_files/0/hash"),
        ({"size": -1}, "/upload_files/0/size"),
        ({"size": "3"}, "/upload_files/0/size"),
        ({"size": 2**63}, "/upload_files/0/size"),
        ({"size": 1.5}, "/upload_files/0/size"),
    ],
)
def test_a_candidate_that_cannot_be_meant_is_refused_by_its_place(
    fake: Fake, change: dict[str, Any], place: str
) -> None:
    caller = fake.caller()
    answer = caller.post(ROUTE, {"upload_files": [{**candidate("/a", b"abc"), **change}]})

    assert answer.status == 400
    assert list(answer.faults) == [place]


@pytest.mark.parametrize("count", [0, 21])
def test_a_batch_has_one_to_twenty_files(fake: Fake, count: int) -> None:
    files = [candidate(f"/{number}", b"") for number in range(count)]

    assert fake.caller().post(ROUTE, {"upload_files": files}).status == 400


@pytest.mark.parametrize(
    "path", ["/a/../b", "/a//b", "C:\\proj\\a.ma", "c:/proj/a.ma", "/\u00fc\u4e2d/\n", "/a b?c#d%00"]
)
def test_paths_are_opaque_text(fake: Fake, path: str) -> None:
    caller = fake.caller()
    caller.upload(path, b"x")

    assert list(caller.files()) == [path]


def test_a_whole_number_may_be_written_with_a_fraction_of_zero(fake: Fake) -> None:
    """JSON Schema takes 3.0 for an integer; the signed URL must say 3 all the same."""
    caller = fake.caller()
    url = caller.upload_url("/a", b"abc", size=3.0)

    assert caller.put(url, b"abc").status == 200


def test_an_md5_with_stray_bits_means_the_same_content(fake: Fake) -> None:
    """The last letter of the base64 of 16 bytes has four bits that mean nothing."""
    caller = fake.caller()
    stray = md5_of(b"abc")[:-3] + "h=="
    assert stray != md5_of(b"abc")
    url = caller.upload_url("/a", b"abc", hash=stray)

    assert caller.put(url, b"abc", headers={"Content-MD5": stray}).status == 200
    assert caller.files() == {"/a": md5_of(b"abc")}
    assert caller.post(ROUTE, {"upload_files": [candidate("/a", b"abc")]}).status == 204


def test_urls_carry_the_name_by_which_the_client_knows_the_server(fake: Fake) -> None:
    answer = fake.caller().post(
        ROUTE, {"upload_files": [candidate("/a", b"x")]}, headers={"Host": "farm.local:81"}
    )

    assert answer.json()["singlePartURLs"][0]["preSignedURL"].startswith("http://farm.local:81/objects/")
