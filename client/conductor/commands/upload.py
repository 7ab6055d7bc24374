"""``conductor upload``: files without a job."""

from __future__ import annotations

import click

from conductor.commands.common import absolute, json_option, print_json
from conductor.commands.printing import echo
from conductor.commands.transfer_progress import shown_progress


@click.command()
@click.argument("paths", nargs=-1, required=True)
@json_option
def upload(paths: tuple[str, ...], as_json: bool) -> None:
    """Upload files, directories and patterns, without a job."""
    from conductor.lib.api_client import ApiClient
    from conductor.lib.file_utils import expand_paths
    from conductor.lib.files.local import look_at
    from conductor.lib.md5_cache import configured_cache
    from conductor.lib.uploader import Uploader

    files = look_at(expand_paths(absolute(path) for path in paths))
    with ApiClient() as client, shown_progress("uploading", enabled=not as_json) as progress:
        report = Uploader(client, cache=configured_cache(client.config), progress=progress).upload(files)
    if as_json:
        listed = [
            {"path": file.path, "size": file.size, "md5": file.md5, "sent": file.path in report.sent}
            for file in report.files
        ]
        print_json({"files": listed, "bytes_sent": report.bytes_sent, "bytes_resumed": report.bytes_resumed})
    else:
        echo(f"{len(report.sent)} files sent ({report.bytes_sent} bytes), {report.skipped} already there")
