"""What a studio did in the week before now: each job as it was submitted, and what became of it.

Every status that a job can have is there, for whoever looks at the pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conductor_mock.demo.artist import Artist
from conductor_mock.demo.work import Work, uneven

FLEET = 24
SPEED = 60

ARCHIVE_BYTES = 480_000_000_000
"""What one job's cache claims to have: copying it to the render storage takes a while."""

SCENE_BYTES = 2_600_000_000
"""What a file that nobody brought yet claims to have."""
NOBODYS_MD5 = "kAFQmDzST7DWlj99KOF/cg=="
"""Of a content that was never uploaded."""


WEEK: Sequence[tuple[float, Work]] = (
    (166, Work("sh010", "layout", "kim", 48, 3, "blender")),
    (163, Work("sh020", "first light", "alex", 36, 9)),
    (144, Work("sh030", "animation check", "robin", 96, 2, "blender", project="training")),
    (141, Work("sh010", "first light", "kim", 72, 11)),
    (120, Work("sh040", "smoke", "sam", 60, 14, "houdini", machine="n1-highmem-16")),
    (117, Work("sh020", "comp", "alex", 120, 1, "nuke", machine="n1-standard-4")),
    (96, Work("sh050", "crowd", "robin", 80, 12, project="demo")),
    (93, Work("sh030", "comp", "kim", 96, 1.5, "nuke", machine="n1-standard-4")),
    (70, Work("sh010", "second light", "kim", 72, 13)),
    (48, Work("sh060", "pyro", "sam", 50, 20, "houdini", machine="n1-highmem-16")),
    (45, Work("sh050", "crowd, fixed", "robin", 80, 12, project="demo")),
    (26, Work("sh040", "smoke, hero", "sam", 60, 22, "houdini", machine="n1-highmem-32")),
    (22, Work("sh020", "final", "alex", 120, 8)),
)
"""Jobs that went well, by how many hours ago they were submitted."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Something to look at: what it is, and the path of its page."""

    what: str
    path: str


class Studio:
    """The people of a studio, all with the account of the server."""

    def __init__(self, artist: Artist) -> None:
        self._artist = artist
        self._sights: list[Sight] = []
        artist.be(WEEK[0][0])
        self._packages = {package["product"]: package["package_id"] for package in artist.packages()}

    def work(self) -> Sequence[Sight]:
        """A week, up to now; then the clock runs faster. What is worth a look."""
        for hours_ago, work in WEEK:
            self._artist.be(hours_ago)
            self._submit(work)
        self._this_morning()
        self._what_went_wrong()
        self._what_waits()
        self._now()
        self._sights += [
            Sight("a week of costs", "/usage"),
            Sight("what was asked, and a 503 among it", "/requests"),
        ]
        return tuple(self._sights)

    def _see(self, what: str, jobid: str, rest: str = "") -> None:
        self._sights.append(Sight(what, f"/jobs/{jobid}{rest}"))

    def _this_morning(self) -> None:
        artist = self._artist
        artist.be(9)
        self._submit(Work("sh030", "dailies", "alex", 12, 4), location="dailies")
        artist.be(8.5)
        approved = self._submit(Work("sh010", "final", "kim", 10, 6))
        artist.be(8)
        retried = self._submit(
            Work("sh050", "crowd, final", "robin", 20, 15, project="demo"),
            preemptible=True,
            autoretry_policy={"preempted": {"max_retries": 3}},
            metadata={"mock_outcome": "preempted,success", "mock_frames": "7"},
        )
        artist.be(7)
        artist.fetch("dailies")
        artist.act("reviewed", approved)
        self._see("a frame whose machine was taken away, and which was rendered again", retried, "/006")

    def _what_went_wrong(self) -> None:
        artist = self._artist
        artist.be(6)
        failed = self._submit(
            Work("sh070", "creature hair", "sam", 20, 9, machine="n1-highmem-8"),
            metadata={"mock_outcome": "failed", "mock_frames": "13"},
            notify={"emails": ["sam@studio.example"]},
        )
        self._see("a frame that failed, with its log", failed, "/012/log")
        artist.be(5.5)
        self._submit(
            Work("sh055", "matte painting", "alex", 8, 10),
            preemptible=True,
            metadata={"mock_outcome": "preempted", "mock_frames": "3,6"},
        )
        artist.be(5)
        wrong = self._submit(Work("sh060", "pyro, wrong camera", "sam", 30, 25, "houdini"))
        artist.be(4.8)
        artist.act("kill", wrong)
        artist.be(4.5)
        full = self._submit(Work("sh075", "forest", "robin", 16, 8), location="attic", local_upload=False)
        upload = artist.claim("attic")
        artist.report_upload(upload, 3_100_000_000, 9_800_000_000)
        artist.fail_upload(upload, "Uploader ERROR: /proj/heron/sh075/trees.abc: no space left on device")
        self._see("an upload that failed, with its reason", full)
        artist.be(4)
        missing = self._submit(Work("sh085", "waterfall", "kim", 24, 10), has_files=False)
        self._see("a job whose files are missing", missing)
        artist.be(3.5)
        artist.arrange(
            "faults",
            {
                "match": {"operation": "jobs.create"},
                "fault": {"kind": "status", "status": 503},
                "times": 1,
            },
        )
        self._submit(Work("sh020", "retouch", "alex", 6, 5, "nuke", project="defualt"))

    def _what_waits(self) -> None:
        artist = self._artist
        artist.be(3)
        scouted = self._submit(Work("sh080", "rain", "kim", 40, 7), scout_frames="1,20,40")
        self._see("scout frames that wait to be approved", scouted)
        artist.be(2.5)
        held = self._submit(Work("sh090", "waits for notes", "robin", 24, 10, project="demo"))
        artist.act("hold", held)
        artist.be(1.2)
        live = self._submit(
            harbour := Work("sh100", "harbour, final", "alex", 360, 0, machine="n1-highmem-16", priority=8),
            preemptible=True,
            autoretry_policy={"preempted": {"max_retries": 5}},
            notify={"emails": ["alex@studio.example"]},
        )
        artist.arrange("outcomes", uneven(harbour))
        self._see(f"a job that renders now, {SPEED} times as fast", live)
        artist.be(0.4)
        self._submit(Work("sh110", "lookdev", "sam", 18, 6, "blender", project="training", priority=2))
        artist.be(0.2)
        self._submit(Work("sh095", "market", "robin", 32, 8), location="berlin", local_upload=False)

    def _now(self) -> None:
        artist = self._artist
        artist.be(0)
        artist.arrange("clock", {"speed": SPEED})  # an uploader's lease is in wall seconds
        self._submit(Work("sh120", "storm", "kim", 64, 12), location="lisbon", local_upload=False)
        artist.report_upload(artist.claim("lisbon"), 4_200_000_000, 10_400_000_000)
        self._submit(Work("sh130", "ocean", "sam", 48, 16, "houdini"), cache_bytes=ARCHIVE_BYTES)

    def _submit(
        self,
        work: Work,
        *,
        has_files: bool = True,
        local_upload: bool = True,
        cache_bytes: int = 0,
        **more: Any,
    ) -> str:
        """Submit a job with its files; `cache_bytes` is what one of them says that it has."""
        if has_files and local_upload:
            entries = self._artist.upload(work.files)
        else:
            md5 = NOBODYS_MD5 if local_upload else None
            entries = [{"destination": path, "md5": md5, "st_size": SCENE_BYTES} for path in work.files]
        if cache_bytes:
            entries[0] = {**entries[0], "st_size": cache_bytes}
        package = self._packages[work.product]
        return self._artist.submit(work.payload(entries, package, local_upload=local_upload, **more))
