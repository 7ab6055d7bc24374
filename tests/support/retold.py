"""The history of an account, told once more: each of its commands is asked for again, of one server that is alone.

So it is held against more than itself: what three servers made of requests, in the order in which their log has them,
is what one makes of the same requests. Commands that follow from others, as what an executor reports, cannot be asked
for, so it is an account of which nothing runs for real.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conductor_mock.farm import snapshot
from conductor_mock.farm.clock import ONE, SECOND, Anchor
from conductor_mock.farm.commands import (
    AccountOpened,
    ClockSet,
    Command,
    DownloadOffered,
    DownloadReported,
    JobCreated,
    JobsActed,
    OutputsListed,
    RulesChanged,
)
from conductor_mock.farm.ids import jid, tid
from conductor_mock.farm.records import Record
from support.server import ApiCaller, ManualWall, candidate, md5_of, running


def retell(
    records: Sequence[Record], private_key: str, contents: Mapping[str, bytes], **settings: Any
) -> tuple[list[Record], Any]:
    """The records, and the state as JSON, of one server that is asked for the same. `contents` are files by md5."""
    first = records[0].command
    assert isinstance(first, AccountOpened)
    wall = ManualWall(first.clock.wall_us)
    with running(wall, **settings) as fake:
        caller = fake.caller(first.client_id, private_key)
        anchor = first.clock
        for record in records[1:]:
            command = record.command
            if isinstance(command, ClockSet):
                # A move reads the wall twice: the time that it moves from is a little earlier than the one it ends at.
                anchored = ManualWall(command.clock.wall_us)
                wall.us = min(anchored.us, when(anchor, command.clock.sim_us))
                fake.service.wall = anchored
                now_us = fake.state(caller).now_us
                control(caller, "/_mock/clock", {"advance": (command.clock.sim_us - now_us) / SECOND})
                anchor, fake.service.wall = command.clock, wall
            else:
                wall.us = when(anchor, record.t_us)
                TOLD[type(command)](caller, command, contents)
        with fake.service.accounts.open(first.account_id) as account:
            return account.records(), snapshot.write(account.state)


def when(anchor: Anchor, t_us: int) -> int:
    """The first moment of wall time at which it is `t_us` or later."""
    if not anchor.speed_millionths:
        return anchor.wall_us
    return anchor.wall_us - (anchor.sim_us - t_us) * ONE // anchor.speed_millionths


def control(caller: ApiCaller, path: str, body: Any) -> None:
    answer = caller.post(path, body, query={"account": caller.client_id})
    assert answer.status == 200, answer


def job(caller: ApiCaller, command: JobCreated, contents: Mapping[str, bytes]) -> None:
    for file in command.payload.get("upload_files") or ():
        if file["destination"] not in command.missing and file["md5"]:
            upload(caller, file["destination"], contents[file["md5"]])
    key = {"Idempotency-Key": command.idempotency_key} if command.idempotency_key else {}
    answer = caller.request("POST", "/jobs/", data=json.dumps(command.payload).encode(), headers=key)
    assert answer.status == 201, answer


def upload(caller: ApiCaller, path: str, content: bytes) -> None:
    """Send a file, in parts where it is asked for so."""
    answer = caller.post("/api/v2/files/get_upload_urls", {"upload_files": [candidate(path, content)]})
    if answer.status == 204:
        return
    for record in answer.json()["multiPartURLs"]:
        size, parts = record["partSize"], []
        for number, part in enumerate(record["parts"]):
            put = caller.put(part["url"], content[number * size : (number + 1) * size])
            parts.append({"partNumber": number + 1, "etag": put.headers["ETag"]})
        body = {
            "uploadID": record["uploadID"],
            "hash": md5_of(content),
            "completedParts": parts,
            "project": None,
        }
        assert caller.post("/api/v2/files/multipart/complete", body).status == 200
        return
    caller.upload(path, content)


def action(caller: ApiCaller, command: JobsActed, _: Mapping[str, bytes]) -> None:
    body = {"action": command.action, "jobids": [jid(number) for number in command.jobs]}
    assert caller.request("PUT", "/jobs_multi", body=body).status == 200


def rules(caller: ApiCaller, command: RulesChanged, _: Mapping[str, bytes]) -> None:
    control(caller, "/_mock/outcomes", command.rules[0])


def listed(caller: ApiCaller, command: OutputsListed, _: Mapping[str, bytes]) -> None:
    answer = caller.post(f"/jobs/{jid(command.job)}/downloads", {"tids": [tid(command.task)]})
    assert answer.status == 201, answer


def offered(caller: ApiCaller, _: DownloadOffered, __: Mapping[str, bytes]) -> None:
    assert caller.get("/downloads/next", query={"location": ""}).status == 201


def reported(caller: ApiCaller, command: DownloadReported, _: Mapping[str, bytes]) -> None:
    query = {"account": caller.client_id}
    task = caller.get(f"/_mock/jobs/{jid(command.job)}", query=query).json()["tasks"][command.task]
    answer = caller.post(
        "/downloads/status",
        {
            "download_id": f"d{jid(command.job)}-{tid(command.task)}-{len(task['attempts'])}",
            "status": command.status,
            "bytes_downloaded": command.bytes_downloaded,
            "bytes_to_download": 0,
        },
    )
    assert answer.status == 200, answer


TOLD: dict[type[Command], Callable[[ApiCaller, Any, Mapping[str, bytes]], None]] = {
    JobCreated: job,
    JobsActed: action,
    RulesChanged: rules,
    OutputsListed: listed,
    DownloadOffered: offered,
    DownloadReported: reported,
}
