"""What all runs of one job have in common, made once: its files, its tree, its output path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from conductor_mock.execution import paths, sandbox
from conductor_mock.execution.environment import Places, compose
from conductor_mock.execution.leaks import Guard, LeakError, guard
from conductor_mock.execution.mapping import tree_of
from conductor_mock.execution.order import Input, Limits, Order, Sandbox
from conductor_mock.execution.workspace import Workspace, WorkspaceError, permissions
from conductor_mock.farm.payload import UploadFile


@dataclass(frozen=True, slots=True)
class Recipe:
    """A job as its runs need it. `created` tells it from a job of the same number in another life of the account."""

    created: tuple[int, int]
    files: tuple[UploadFile, ...]
    guard: Guard
    output_path: str
    environment: Mapping[str, str]
    sandbox: Sandbox | None = None

    def order(
        self,
        workspace: Workspace,
        command: str,
        *,
        run: str,
        source: Callable[[str, str | None], str | None],
        server: Mapping[str, str],
        limits: Limits,
    ) -> Order:
        """One run of a task. `source(path, base64 md5)` is the file that holds a content, or None.

        Raises WorkspaceError for what cannot be mirrored and for a command that leads out, EnvironmentProblemError for
        an impossible variable.
        """
        folder = str(workspace.folder)
        places = Places(folder, str(workspace.home), str(workspace.temporary))
        if self.sandbox is not None:
            places = Places(sandbox.INSIDE, sandbox.HOME, sandbox.TEMPORARY)
        return Order(
            run=run,
            folder=folder,
            inputs=tuple(_input(file, folder, source) for file in self.files),
            command=_mapped(command, self.guard, places.folder),
            environment=compose(self.environment, self.guard, places, run=run, server=server),
            output=tuple(output_names(self.output_path)),
            limits=limits,
            sandbox=self.sandbox,
        )


def output_names(output_path: str) -> list[str]:
    """Where the outputs of a run lie, by names below its folder; none for a job without an output path.

    Raises WorkspaceError.
    """
    if not output_path:
        return []
    output = paths.parse(output_path)
    if output is None or not output.names:
        raise WorkspaceError(f"output_path must be an absolute path below the root, got {output_path[:80]!r}")
    return [*paths.place("", output.drive)[1:].split("/"), *output.names]


def make(
    files: Iterable[UploadFile],
    output_path: str,
    environment: Mapping[str, str],
    *,
    created: tuple[int, int],
    sandbox: Sandbox | None = None,
) -> Recipe:
    """The recipe of a job with these input files. In a sandbox only what lies on drives is to be mapped."""
    files = tuple(files)
    named = [file.path for file in files]
    mapped = output_path
    if sandbox is not None:
        named = [path for path in named if _has_drive(path)]
        mapped = output_path if _has_drive(output_path) else ""
    tree = tree_of(named, mapped)
    return Recipe(created, files, guard(tree), output_path, environment, sandbox)


def _has_drive(path: str) -> bool:
    parsed = paths.parse(path)
    return parsed is not None and bool(parsed.drive)


def _mapped(command: str, guard: Guard, folder: str) -> str:
    mapped = guard.tree.map(command, folder)
    try:
        guard.check(mapped, folder, is_command=True)
    except LeakError as error:
        raise WorkspaceError(f"the command is not run: {error}") from None
    return mapped


def _input(file: UploadFile, folder: str, source: Callable[[str, str | None], str | None]) -> Input:
    shown = repr(file.path[:200])
    path = paths.parse(file.path)
    if path is None or not path.names:
        raise WorkspaceError(f"the file {shown} has no place in a folder")
    content = source(file.path, file.md5)
    if content is None:
        raise WorkspaceError(f"the content of {shown} is not held by the account")
    return Input(str(path.below(folder).relative_to(folder)), content, permissions(file.mode))
