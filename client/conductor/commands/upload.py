"""``conductor upload``: files without a job."""

from __future__ import annotations

import click

from conductor.commands.common import absolute, json_option, print_json


@click.command()
@click.argument("paths", nargs=-1, required=True)
@json_option
def upload(paths: tuple[str, ...], as_json: bool) -> None:
    """Upload files, directories and patterns, without a job."""
    from conductor.lib.api_client import ApiClient
    from conductor.lib.file_utils import expand_paths
    from conductor.lib.local_files import look_at
    from conductor.lib.uploader import Uploader

    files = look_at(expand_paths(absolute(path) for path in paths))
    with ApiClient() as client:
        report = Uploader(client).upload(files)
    if as_json:
        listed = [
            {"path": file.path, "size": file.size, "md5": file.md5, "sent": file.path in report.sent}
            for file in report.files
        ]
        print_json({"files": listed, "bytes_sent": report.bytes_sent})
    else:
        click.echo(
            f"{len(report.sent)} files sent ({report.bytes_sent} bytes), {report.skipped} already there"
        )
