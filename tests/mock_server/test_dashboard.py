"""What the pages say: how far jobs are, what they wait for, what tasks did, and how lists are chosen from."""

from __future__ import annotations

import html
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from conductor_mock.dashboard import clock, shown, thumbnails
from conductor_mock.farm.clock import SECOND
from conductor_mock.farm.ids import account_id
from conductor_mock.farm.statuses import JobStatus, TaskStatus
from support.examples import examples
from support.server import START_US, ApiCaller, Fake

ONE_FAILS = {"mock_outcome": "failed", "mock_frames": "3"}


def page(caller: ApiCaller, path: str, **query: str) -> str:
    """The text of a page: its words without the markup, each run of white space as one blank."""
    answer = caller.get(path, query={"account": caller.client_id, **query})
    assert answer.status == 200, answer
    text = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return " ".join(html.unescape(text).split())


def markup(caller: ApiCaller, path: str, **query: str) -> str:
    answer = caller.get(path, query={"account": caller.client_id, **query})
    assert answer.status == 200, answer
    return answer.content.decode()


def frames(count: int) -> list[dict[str, str]]:
    return [
        {"command": f"render -f {frame} -o /out/a.####.exr", "frames": str(frame)}
        for frame in range(1, count + 1)
    ]


def until_idle(caller: ApiCaller) -> None:
    caller.post("/_mock/clock", {"until": "idle"}, query={"account": caller.client_id})


def titles(text: str) -> list[str]:
    """The titles of the table of jobs, as tests give them."""
    return re.findall(r"<td[^>]*data-label=\"Title\">([^<]*)", text)


def test_a_job_says_how_far_it_is_what_it_took_and_what_it_cost(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.submit(tasks_data=frames(4), metadata={**ONE_FAILS, "mock_duration": "90"})
    assert "0 of 4" in page(caller, "/")
    until_idle(caller)

    text = page(caller, "/")
    assert "3 of 4, 1 failed" in text
    assert re.search(r"\d\.\d+ USD", text)
    assert 'rect class="success" x="0" width="3"' in markup(caller, "/")
    assert 'rect class="failed" x="3" width="1"' in markup(caller, "/")


def test_the_table_is_filtered_and_sorted_by_its_address(fake: Fake) -> None:
    caller = fake.newcomer()
    for title, project, owner, priority in (("b", "p", "ann", 1), ("a", "q", "ben", 9), ("c", "p", "ben", 5)):
        caller.submit(
            job_title=title,
            project=project,
            owner=owner,
            priority=priority,
            location=f"{project}-land",
            metadata={"shot": title * 4, title: ""},
        )

    assert titles(markup(caller, "/")) == ["c", "a", "b"]
    for query, expected in (
        ({"sort": "oldest"}, "bac"),
        ({"sort": "title"}, "abc"),
        ({"sort": "priority"}, "acb"),
        ({"project": "p"}, "cb"),
        ({"user": "ben", "sort": "oldest"}, "ac"),
        ({"location": "p-land"}, "cb"),
        ({"location": "p"}, ""),
        ({"metadata": "shot"}, "cab"),
        ({"metadata": "shot=bbbb"}, "b"),
        ({"metadata": "shot=b"}, ""),
        ({"metadata": "a"}, "a"),
        ({"text": "BBBB"}, "b"),
        ({"text": "00002"}, "a"),
        ({"status": "success"}, ""),
        ({"sort": "nonsense"}, "cab"),
    ):
        assert titles(markup(caller, "/", **query)) == list(expected), query
    assert "No job fits the filter, of 3 jobs in all" in page(caller, "/", status="success")


class Options(HTMLParser):
    """What the lists of a form offer, by the name of each, read as a browser reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.offered: dict[str, list[str]] = {}
        self._of = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("select", "datalist"):
            self._of = given.get("name") or given.get("id") or ""
        elif tag == "option":
            self.offered.setdefault(self._of, []).append(given.get("value") or "")


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(
    lambda text: text == text.replace("\u2028", "").replace("\u2029", "")
)


@examples(
    15, full=50, parent=settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
)
@given(NAMES, NAMES, NAMES, NAMES, NAMES)
@example(" a", "b  c", "d ", "x=y", "\u202edlog")
@example("0", "0", "0", "0", " ")
@example("0", "0", "0", " ", "0")
def test_what_the_filter_offers_finds_its_job(
    fake: Fake, project: str, owner: str, location: str, name: str, value: str
) -> None:
    """Names are told to the letter, with blanks and marks of direction; metadata without the blanks around."""
    caller = fake.newcomer()
    submitted = caller.submit(project=project, owner=owner, location=location, metadata={name: value})
    assert submitted.status == 201, submitted
    options = Options()
    options.feed(markup(caller, "/"))
    assert options.offered["metadata-names"] == [name]
    queries = [{"metadata": text} for text in (f"{name}={value}", f" {name}={value}", name)]
    for of, given_name in (("project", project), ("user", owner), ("location", location)):
        assert options.offered[of] == ["", given_name]
        queries.append({of: given_name})
    for query in queries:
        assert len(titles(markup(caller, "/", **query))) == 1, query
    assert not titles(markup(caller, "/", metadata=f"{name}={value}."))


@pytest.mark.parametrize("digits", ["\u00b2", "\u0661", "-1", "9" * 30, "1e9", ""])
def test_a_number_of_an_address_that_is_none_is_no_defect(fake: Fake, digits: str) -> None:
    caller = fake.newcomer()
    for path, name in (("/faults", "fits"), ("/", "page"), ("/requests", "before")):
        page(caller, path, **{name: digits})
    assert caller.get("/clock", query={"account": caller.client_id, "at": digits}).status in (200, 400)


def test_a_hundred_jobs_are_a_page_and_the_next_one_keeps_the_filter(fake: Fake) -> None:
    caller = fake.newcomer()
    for number in range(103):
        caller.submit(job_title=f"j{number}", tasks_data=frames(1))

    first = markup(caller, "/", text="j")
    assert len(titles(first)) == 100
    assert "1 to 100 of 103" in first
    (following,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = caller.get(html.unescape(following)).content.decode()
    assert titles(second) == ["j2", "j1", "j0"]
    assert 'name="text" value="j"' in second
    assert titles(markup(caller, "/", page="999")) == ["j2", "j1", "j0"]


def test_an_account_without_jobs_is_told_how_to_connect(fake: Fake) -> None:
    caller = fake.newcomer()

    text = html.unescape(markup(caller, "/"))
    assert '<pre>eval "$(conductor-mock env --url http://127.0.0.1:' in text
    assert "private_key" not in html.unescape(markup(caller, "/connect"))
    for kind in ("bash", "PowerShell", "Python", "pytest", "ciocore"):
        assert f"<h2>{kind}</h2>" in markup(caller, "/connect")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"tasks_data": frames(4), "scout_frames": "1"},
            "3 tasks of job 00001 wait for the scout frame 1 to be approved. conductor unhold --scouts 00001",
        ),
        (
            {"local_upload": False, "location": "Berlin", "upload_files": [{"destination": "/a"}]},
            "Job 00001 waits for an uploader daemon of the location 'Berlin'.",
        ),
        ({"tasks_data": frames(2)}, "2 of 2 tasks succeeded."),
        ({"tasks_data": frames(4), "metadata": ONE_FAILS}, "1 of 4 tasks failed."),
    ],
)
def test_a_job_says_in_one_sentence_what_it_waits_for(
    fake: Fake, fields: dict[str, Any], sentence: str
) -> None:
    caller = fake.newcomer()
    assert caller.submit(**fields).status == 201
    until_idle(caller)

    assert sentence in page(caller, "/job/1")


@pytest.mark.parametrize(
    ("options", "fields", "sentence"),
    [
        ({"fleet": 2}, {"tasks_data": frames(4)}, "; 2 tasks wait, since the fleet of 2 is full."),
        ({"fleet": 2}, {"tasks_data": frames(3)}, "; 1 task waits, since the fleet of 2 is full."),
        (
            {},
            {"tasks_data": frames(3), "max_instances": 1},
            "; 2 tasks wait, since the job may have 1 machine at once.",
        ),
        ({}, {"tasks_data": frames(1)}, "; 1 machine is booting."),
        ({}, {"tasks_data": frames(3)}, "; 3 machines are booting."),
    ],
)
def test_a_job_that_runs_says_why_tasks_of_it_do_not(
    fake: Fake, options: dict[str, Any], fields: dict[str, Any], sentence: str
) -> None:
    caller = fake.newcomer()
    query = {"account": caller.client_id}
    assert caller.post("/_mock/options", options, query=query).status == 200
    assert caller.submit(**fields).status == 201
    said = []
    for _ in range(60):
        caller.post("/_mock/clock", {"advance": 5}, query=query)
        said.append(page(caller, "/job/1"))
    assert any(sentence in text for text in said)


def test_a_job_shows_its_tasks_warnings_uploads_events_and_hides_secrets(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.submit(
        tasks_data=frames(4),
        metadata=ONE_FAILS,
        environment={"SHOW": "lamp", "MY_TOKEN": "very secret"},
        unheard_of="x",
        notify={"emails": ["td@example.com"]},
    )
    until_idle(caller)
    text = page(caller, "/job/1")

    assert "✓ success 3 ✕ failed 1 ✓ 1 ✓ 2 ✕ 3 ✓ 4" in text
    assert "/unheard_of is not in the contract" in text
    assert "SHOW lamp" in text
    assert "very secret" not in text
    assert "Task 002 ended: failed with exit code 1" in text
    assert "td@example.com: Job 00001 failed" in text
    assert '"unheard_of": "x"' in text
    assert "has ended: failed. It has 4 tasks" in page(caller, "/mails")


def test_the_farm_is_shown_as_it_was_at_every_moment(fake: Fake) -> None:
    """The page says of each moment what the control API says of it."""
    caller = fake.newcomer()
    caller.submit(tasks_data=frames(3), metadata=ONE_FAILS, max_instances=1)
    caller.post("/_mock/clock", {"advance": 40}, query={"account": caller.client_id})
    caller.submit(job_title="later", tasks_data=frames(1))
    until_idle(caller)
    account = {"account": caller.client_id}
    caller.post("/_mock/clock", {"advance": 10}, query=account)
    now_us = caller.get("/_mock/clock", query=account).json()["now_us"]

    seen = set()
    last = (now_us - START_US) // SECOND
    for second in (*range(0, last, 7), last):
        text = markup(caller, "/clock", at=str(second))
        shown_jobs = re.findall(r'data-label="Job"><a[^>]*>(\d+)', text)
        chips = re.findall(r'data-label="Status then"><span class="chip (\w+)', text)
        at = f"2026-01-01T{second // 3600:02}:{second % 3600 // 60:02}:{second % 60:02}Z"
        said = [
            caller.get(f"/_mock/jobs/{jid}", query={**account, "at": at}).json()["status"]
            for jid in shown_jobs
        ]
        assert chips == said, at
        seen.add((len(shown_jobs), chips[-1]))
    assert {count for count, _ in seen} == {1, 2}
    assert {"running", "failed"} < {status for _, status in seen}
    assert "0 s ago" not in page(caller, "/clock")
    assert caller.get("/clock", query={**account, "at": "soon"}).status == 400
    assert "jobs by then: 2 of 2" in page(caller, "/clock", at="9" * 14)


def test_a_page_reads_the_history_of_so_many_tasks_and_no_more(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "MOST_TASKS", 5)
    caller = fake.newcomer()
    for count in (4, 3, 2):
        caller.submit(tasks_data=frames(count))

    assert page(caller, "/clock").count("too many to look at here") == 1


def test_fidelity_is_shown_by_operation_grade_and_text(fake: Fake) -> None:
    caller = fake.newcomer()
    rows = fake.service.contract.fidelity()

    text = page(caller, "/fidelity")
    for operation in fake.service.contract.operations:
        assert operation in text
    of_create = [row for row in rows if row.operation == "jobs.create" and row.grade == "client"]
    assert f"{len(of_create)} parts of the contract" in page(
        caller, "/fidelity", operation="jobs.create", grade="client"
    )
    assert "0 parts" in page(caller, "/fidelity", text="no such text")
    assert caller.get("/fidelity", query={"account": caller.client_id, "operation": "no.such"}).status == 404


def test_every_grade_of_evidence_has_a_colour(fake: Fake) -> None:
    for grade in fake.service.contract.grades:
        assert re.search(rf"^(?:[^@]* )?\.grade-{grade} ", STYLE, re.MULTILINE)
        assert f"rect.grade-{grade} " in STYLE


def test_a_task_shows_why_each_attempt_ended(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.submit(
        tasks_data=frames(1),
        preemptible=True,
        metadata={"mock_outcome": "preempted,failed"},
        autoretry_policy={"preempted": {"max_retries": 1}},
    )
    until_idle(caller)
    text = page(caller, "/jobs/1/0")

    assert "render -f 1 -o /out/a.####.exr" in text
    assert "↺ preempted the machine was taken away" in text
    assert "✕ failed the command ended with exit code 1" in text


def test_a_thumbnail_is_small_and_looking_at_one_lists_nothing(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.submit(tasks_data=frames(1))
    until_idle(caller)
    answer = caller.get("/jobs/1/0/thumbnail/0", query={"account": caller.client_id})

    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size <= thumbnails.SIZE
    with fake.service.accounts.open(account_id(caller.client_id)) as account:
        assert account.state.jobs[1].tasks[0].outputs is None
    caller.post("/jobs/00001/downloads", {})
    stored = caller.get("/jobs/1/0/thumbnail/0", query={"account": caller.client_id})
    assert stored.content == answer.content
    assert caller.get("/jobs/1/0/thumbnail/1", query={"account": caller.client_id}).status == 404


def test_what_is_no_picture_has_no_thumbnail() -> None:
    bomb = b"P6\n100000 100000\n255\n"

    assert thumbnails.small(b"") is None
    assert thumbnails.small(b"not a picture") is None
    assert thumbnails.small(bomb) is None
    assert thumbnails.small(b"\x89PNG\r\n\x1a\n" + b"\0" * 100) is None


def colours(text: str) -> dict[str, tuple[int, int, int]]:
    """The colours of one theme of the style sheet, by name."""
    found = re.findall(r"--([\w-]+): #([0-9a-f]{6});", text)
    return {name: (int(hex_[:2], 16), int(hex_[2:4], 16), int(hex_[4:], 16)) for name, hex_ in found}


def luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [part / 255 for part in colour]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


STYLE = (Path(shown.__file__).parent / "assets" / "style.css").read_text(encoding="utf-8")
LIGHT, DARK = STYLE.split("prefers-color-scheme: dark", 1)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_graphics_stand_out_from_what_is_behind_them(theme: str) -> None:
    """WCAG 2.2 AA: 4.5 for text, 3 for graphics and the edges of controls."""
    colour = colours(theme)
    text = [(ink, ground) for ink in ("text", "muted", "accent") for ground in ("page", "panel", "code")]
    text += [("accent-text", "accent"), ("text", "warn")]
    text += [(f"{status.value}-text", status.value) for status in TaskStatus]
    graphics = [(f"{status.value}-bar", "panel") for status in TaskStatus]
    graphics += [("control", "panel"), ("accent", "panel"), ("warn-line", "warn")]

    assert min((contrast(colour[a], colour[b]), a, b) for a, b in text) > (4.5,)
    assert min((contrast(colour[a], colour[b]), a, b) for a, b in graphics) > (3.0,)


PLURAL = re.compile(r"\}\} (?:(?:more|earlier) )?(?!has |is |was )(?:[a-z-]+s|more are)\b|== 1\b")
"""A number with a noun that has a plural of its own, in a template."""


@pytest.mark.parametrize(
    "text", ["{{ n }} tasks", "{{ n }} more frames", '{{ "job" if n == 1 else "jobs" }}']
)
def test_a_number_of_things_in_a_template_is_told_apart(text: str) -> None:
    assert PLURAL.search(text)


def test_a_number_of_things_on_a_page_is_said_by_the_function_for_it() -> None:
    templates = sorted((Path(shown.__file__).parent / "templates").glob("*.html"))
    assert templates
    for template in templates:
        assert not PLURAL.findall(template.read_text("utf-8")), template.name


def test_every_status_has_a_mark_and_a_colour() -> None:
    assert len({shown.MARKS[status] for status in TaskStatus}) == len(TaskStatus)
    for status in JobStatus:
        assert re.search(rf"^[^@]*\.{status.value}\b", STYLE, re.MULTILINE), status
    for one in TaskStatus:
        assert f"rect.{one.value} " in STYLE


def test_nothing_comes_from_elsewhere() -> None:
    for file in Path(shown.__file__).parent.rglob("*.*"):
        if file.suffix in {".html", ".css", ".js"}:
            assert not re.search(r"(?:https?:)?//[a-z]", file.read_text(encoding="utf-8")), file


def test_the_script_is_smaller_than_what_a_library_would_be() -> None:
    """docs/background.md says why there is none."""
    assert (Path(shown.__file__).parent / "assets" / "live.js").stat().st_size < 12_000


def test_search_finds_jobs_requests_and_packages(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.submit(job_title="The signal lamp")

    assert "00001: The signal lamp" in page(caller, "/search", q="SIGNAL")
    assert "POST /jobs/" in page(caller, "/search", q="jobs.create")
    assert "maya-io" in page(caller, "/search", q="maya-io")
    assert "Nothing of" in page(caller, "/search", q="no such thing")


def test_a_search_says_what_it_leaves_out(fake: Fake) -> None:
    caller = fake.newcomer()
    for number in range(21):
        caller.submit(job_title=f"lamp {number}")
    found = page(caller, "/search", q="lamp")
    assert "Left out here: 1 more job." in found
    assert "looked at" not in found
    assert "Left out here: 1 more request." in page(caller, "/search", q="jobs.create")
    assert "Left out" not in page(caller, "/search", q="lamp 20")
    for _ in range(1000):
        caller.get("/api/v1/projects")
    found = page(caller, "/search", q="jobs.create")
    assert "Nothing of" in found
    assert "Of the requests the newest 1000 were looked at." in found


def test_requests_are_filtered_and_paged(fake: Fake) -> None:
    caller = fake.newcomer()
    caller.submit()
    for _ in range(120):
        caller.get("/api/v1/projects/")

    text = markup(caller, "/requests", operation="jobs.create")
    assert len(re.findall(r'data-label="No\."', text)) == 1
    first = markup(caller, "/requests", operation="projects.list")
    assert len(re.findall(r'data-label="No\."', first)) == 100
    (older,) = re.findall(r'href="([^"]+)" rel="next"', first)
    rest = caller.get(html.unescape(older)).content.decode()
    assert len(re.findall(r'data-label="No\."', rest)) == 20


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (90_000, "1 d 1 h")],
)
def test_a_time_is_written_in_two_units(seconds: int, text: str) -> None:
    assert shown.span(seconds * SECOND) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (10**15, "1000.0 TB")]
)
def test_a_size_is_written_in_decimal_units(size: int, text: str) -> None:
    assert shown.size_text(size) == text
