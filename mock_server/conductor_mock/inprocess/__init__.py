"""The server without a socket, for code of this process that uses the requests library.

    with in_process() as fake:
        os.environ.update(fake.environment())
        ...

`fake` has the service, `routing` leads a session's requests there, `memory` is what lies in the socket's place.
"""

from __future__ import annotations

from conductor_mock.inprocess.fake import HOST, URL, InProcess, in_process
from conductor_mock.inprocess.routing import alias

__all__ = ["HOST", "URL", "InProcess", "alias", "in_process"]
