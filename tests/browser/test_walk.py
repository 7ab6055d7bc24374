"""A walk through the pages as people take it: jobs go live, frames play, buttons do what they say, time is scrubbed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import requests

from browser.chromium import window
from browser.farms import Farm
from conductor.lib.conductor_submit import Submit
from support.filled import frames

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Route

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)


def submit(farm: Farm, folder: Path, monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    """Submit a job with the client."""
    for name, value in farm.server.environment().items():
        monkeypatch.setenv(name, value)
    job = {
        "job_title": "The signal lamp",
        "project": "default",
        "instance_type": "n1-standard-8",
        "output_path": str(folder),
        "tasks_data": frames(4),
        **fields,
    }
    _, status = Submit(job).main()
    assert status == 201


def test_a_job_is_followed_from_its_submission_to_its_frames(
    browser: Browser, farm: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with window(browser, farm.url) as shown:
        page = shown.page()
        expect(page.get_by_text("No jobs yet")).to_be_visible()
        submit(farm, tmp_path, monkeypatch)
        page.reload()
        page.get_by_role("link", name="00001").click()
        page.evaluate("window.notReloaded = true")

        expect(page.locator("#job")).to_contain_text("4")
        farm.client.pass_time(advance=70)
        expect(page.locator("#job .chip")).to_have_text("▸ running")
        farm.client.pass_time(until="idle")
        expect(page.locator("#job .chip")).to_have_text("✓ success")
        expect(page.locator("#tasks .cell.success")).to_have_count(4)
        assert page.evaluate("window.notReloaded"), "it went live without being loaded again"

        page.reload()
        page.get_by_role("link", name="Step through the frames").click()
        picture = page.locator(".player img")
        expect(picture).to_have_attribute("alt", "Frame 1")
        page.get_by_role("slider", name="Frame").focus()
        page.keyboard.press("ArrowRight")
        expect(picture).to_have_attribute("alt", "Frame 2")
        page.get_by_role("button", name="Play").click()
        expect(picture).to_have_attribute("alt", "Frame 4")
        page.get_by_role("button", name="Pause").click()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        page.get_by_role("link", name="The task of this frame").click()
        expect(page.locator("#log pre")).to_contain_text("render -f")
        assert shown.errors == []


def test_a_task_is_killed_scouts_are_approved_and_a_fault_is_met(browser: Browser, farm: Farm) -> None:
    client = farm.client
    client.submit("With scouts", 6, scout_frames="1")
    client.pass_time(until="idle")
    with window(browser, farm.url) as shown:
        page = shown.page("/job/1")
        expect(page.locator("#job")).to_contain_text("wait for the scout frame 1 to be approved")
        page.get_by_role("button", name="Approve scouts").click()
        expect(page.locator("#tasks .cell.pending")).to_have_count(5)

        page.locator("#tasks .cell").nth(3).click()
        page.locator("summary", has_text="Kill").click()
        page.get_by_role("button", name="Kill").click()
        expect(page.locator("#task .chip")).to_have_text("■ killed")

        page.get_by_role("link", name="Faults").click()
        page.get_by_label("Kind").select_option("status")
        page.get_by_label("Operation").select_option("projects.list")
        page.get_by_role("button", name="Add the fault").click()
        used = page.locator("td[data-label=Used]")
        expect(used).to_have_text("0")
        assert (
            requests.get(f"{farm.url}/api/v1/projects/", headers=client.token, timeout=60).status_code == 503
        )
        expect(used).to_have_text("1")
        page.get_by_label("Kind").select_option("quota")
        expect(page.get_by_label("requests: how many are served")).to_be_visible()
        assert page.url.endswith("kind=quota")
        page.get_by_role("link", name="Requests").click()
        expect(page.get_by_text("fault status")).to_be_visible()
        assert shown.errors == []


def test_time_is_scrubbed_and_jobs_are_filtered_and_found(browser: Browser, full_farm: Farm) -> None:
    with window(browser, full_farm.url) as shown:
        page = shown.page("/clock")
        slider = page.get_by_role("slider", name="Moment")
        expect(page.locator("#then tbody tr")).to_have_count(9)
        slider.fill("80")
        expect(page.locator("#then tbody tr")).to_have_count(1)
        expect(page.locator("#then .chip")).to_have_text("▸ running")
        assert "at=80" in page.url
        page.get_by_role("link", name="Jobs", exact=True).click()
        page.locator("select[name=status]").select_option("failed")
        page.get_by_role("button", name="Filter").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        page.get_by_role("searchbox").fill("turntable")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="00005: Lamp turntable").click()
        expect(page.locator("h1")).to_have_text("Job 00005: Lamp turntable")
        assert shown.errors == []


def test_a_keyboard_alone_suffices(browser: Browser, farm: Farm) -> None:
    farm.client.submit("By keys", 3)
    farm.client.pass_time(advance=70)

    def tab_to(page: Page, text: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent.trim()") == text:
                return
        raise AssertionError(f"no Tab leads to {text!r}")

    with window(browser, farm.url) as shown:
        page = shown.page()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "To the content"
        expect(page.locator(".skip")).to_be_in_viewport()
        page.keyboard.press("Enter")
        for stops, shows in (
            (("00001",), "Job 00001: By keys"),
            (("Kill…", "Kill"), "■ killed"),
            (("Clock",), "Clock of conductor-mock"),
            (("60x",), "runs at 60x"),
        ):
            for stop in stops[:-1]:
                tab_to(page, stop)
                page.keyboard.press("Enter")
            tab_to(page, stops[-1])
            with page.expect_navigation():
                page.keyboard.press("Enter")
            expect(page.get_by_text(shows, exact=True).first).to_be_visible()
        assert shown.errors == []


def test_eight_open_tabs_all_go_live(browser: Browser, farm: Farm) -> None:
    """A browser has six connections to a server, which eight streams would use up."""
    farm.client.submit("Seen by eight", 2)
    with window(browser, farm.url) as shown:
        pages = [shown.page("/job/1") for _ in range(8)]
        farm.client.pass_time(until="idle")
        for page in pages:
            expect(page.locator("#job .chip")).to_have_text("✓ success")
        pages[0].close()  # whoever has the stream, another one takes over
        pages[1].close()
        requests.put(
            f"{farm.url}/jobs_multi",
            json={"action": "retry", "jobids": ["00001"]},
            headers=farm.client.token,
            timeout=60,
        ).raise_for_status()
        for page in pages[2:]:
            expect(page.locator("#job .chip")).to_have_text("· pending")
        assert shown.errors == []


def test_a_button_that_is_pressed_again_before_its_answer_acts_once(browser: Browser, farm: Farm) -> None:
    farm.client.submit("Waits")
    before = simulated(farm)
    with window(browser, farm.url) as shown:
        page = shown.page("/clock")
        sent: list[str] = []
        page.on("request", lambda asked: sent.append(asked.url) if asked.method == "POST" else None)
        for hours in (1, 2):  # the page that answers the first one sends again
            with page.expect_navigation():
                page.get_by_role("button", name="+ 1 hour").evaluate(
                    "one => { one.click(); for (const ms of [0, 1, 3, 6]) setTimeout(() => one.click(), ms); }"
                )
            expect(page.locator("#now")).to_contain_text(f"{before + timedelta(hours=hours):%H:%M:%S}")
            assert len(sent) == hours
        assert shown.errors == []


def simulated(farm: Farm) -> datetime:
    """What the farm's clock says."""
    return datetime.fromisoformat(
        requests.get(f"{farm.url}/_mock/clock", timeout=60).json()["now"].rstrip("Z")
    )


@pytest.mark.parametrize("first", [True, False], ids=["the first page", "a page beside another one"])
def test_what_changes_between_a_page_and_its_stream_is_shown(
    browser: Browser, farm: Farm, first: bool
) -> None:
    """The page was made before the change, and its script runs after it."""
    with window(browser, farm.url) as shown:
        other = None if first else shown.page()

        def answer_and_change(route: Route) -> None:
            made = route.fetch()
            farm.client.submit("In between", 2)
            if other is not None:  # it was told of it, and nothing more will be told
                expect(other.get_by_text("In between")).to_be_visible()
            route.fulfill(response=made)

        page = shown.page("/connect")
        page.route("**/?*", answer_and_change, times=1)
        page.goto(f"{farm.url}/?sort=title")
        expect(page.get_by_text("In between")).to_be_visible()
        assert shown.errors == []
