"""A capture of the vendor's client, unmodified, through the recording proxy: whole, and without a secret."""

from __future__ import annotations

import json
import threading
from typing import Any

import yaml

from conductor_contracts.capture import Recorder, proxy
from conductor_contracts.drift import drift
from conductor_contracts.interactions import parse_interactions
from vendor.scenarios import after, scenario
from vendor.wishes import render_job
from vendor.workstation import Workstation

Json = dict[str, Any]
PEOPLE = ["kim.lee@studio.example", "kim.lee"]


@scenario()
def submitting_through_a_recording_proxy(desk: Workstation) -> Json:
    recorder = Recorder()
    scene = desk.write("secret_show/hero.ma", b"scene")
    with proxy(desk.account.url, recorder) as between:
        thread = threading.Thread(target=between.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            wish = render_job(desk, upload_paths=[scene], notify=PEOPLE[:1])
            url = f"http://127.0.0.1:{between.server_address[1]}"
            answers = desk.drive("submit", [wish], CONDUCTOR_URL=url)
        finally:
            between.shutdown()
            thread.join()
    key = json.loads(desk.account.api_key)
    secrets = [key["private_key"].strip(), key["client_id"], *PEOPLE, "secret_show", str(desk.folder)]
    return {"answers": answers, "text": recorder.interactions(), "secrets": secrets}


@after(submitting_through_a_recording_proxy)
def test_the_client_submits_through_the_proxy_and_is_recorded(result: Json) -> None:
    assert [one["code"] for one in result["answers"]] == [201]
    operations = {document["operation"] for document in yaml.safe_load_all(result["text"])}
    assert operations >= {"auth.token", "files.get_upload_urls", "jobs.create"}


@after(submitting_through_a_recording_proxy)
def test_no_secret_is_left_in_the_capture(result: Json) -> None:
    assert [secret for secret in result["secrets"] if secret in result["text"]] == []
    assert "eyJ" not in result["text"].replace("eyJhbGciOiJub25lIn0.e30.secret-", "")


@after(submitting_through_a_recording_proxy)
def test_the_capture_agrees_with_the_contract(result: Json) -> None:
    interactions = [
        one
        for document in yaml.safe_load_all(result["text"])
        for one in parse_interactions(json.dumps(document), "capture")
    ]
    assert [str(one) for one in drift(interactions)] == []
