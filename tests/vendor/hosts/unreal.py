"""A stand-in for Unreal's editor: a project on the disk, and a job of its render queue.

`open_project` says which one. Assets are the files below `Content`; none depends on another.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

VERSION = "5.4.4-35576357+++UE5+Release-5.4"

_project = Path()
messages: list[str] = []
"""What was shown to the user."""


def open_project(path: str) -> None:
    """Have a project open, by its `.uproject` file."""
    global _project
    _project = Path(path)


class AppMsgType:
    OK = "OK"


class Text(str):
    __slots__ = ()


class EditorDialog:
    @staticmethod
    def show_message(title: str, message: str, message_type: str) -> None:
        messages.append(message)


def log(message: object) -> None:
    """The editor's log, which nobody reads here."""


log_error = log


class ScopedSlowTask:
    """A bar of progress, in a window that there is not."""

    def __init__(self, work: float, title: str) -> None:
        pass

    def __enter__(self) -> ScopedSlowTask:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def make_dialog(self, can_cancel: bool = False) -> None:
        pass

    def should_cancel(self) -> bool:
        return False

    def enter_progress_frame(self, work: float, message: str | None) -> None:
        pass


class Paths:
    @staticmethod
    def is_project_file_path_set() -> bool:
        return _project != Path()

    @staticmethod
    def get_project_file_path() -> str:
        return str(_project)

    @staticmethod
    def project_content_dir() -> str:
        return f"{_project.parent}/Content/"

    @staticmethod
    def project_saved_dir() -> str:
        return f"{_project.parent}/Saved/"

    @staticmethod
    def convert_relative_path_to_full(path: str) -> str:
        return path


class SystemLibrary:
    @staticmethod
    def get_engine_version() -> str:
        return VERSION

    @staticmethod
    def conv_soft_obj_path_to_soft_obj_ref(path: Any) -> Any:
        return path

    @staticmethod
    def conv_soft_object_reference_to_string(reference: Any) -> str:
        return str(reference)


class SoftObjectPath(str):
    __slots__ = ()


class AssetRegistryDependencyOptions:
    def __init__(self, **options: bool) -> None:
        pass


class _Registry:
    def get_dependencies(self, package_name: str, dependency_options: object) -> list[str]:
        return []

    def scan_modified_asset_files(self, paths: list[str]) -> None:
        pass

    def scan_paths_synchronous(self, paths: list[str], force: bool, ignore: bool) -> None:
        pass


class AssetRegistryHelpers:
    @staticmethod
    def get_asset_registry() -> _Registry:
        return _Registry()


class SourceControl:
    @staticmethod
    def sync_files(paths: list[str]) -> bool:
        return True


class _Name(str):
    __slots__ = ()

    def is_none(self) -> bool:
        return not self


def _asset(path: str) -> Path | None:
    relative = path.removeprefix("/Game/")
    found = (_project.parent / "Content" / f"{relative}{suffix}" for suffix in (".uasset", ".umap"))
    return next((file for file in found if file.exists()), None)


class EditorAssetLibrary:
    @staticmethod
    def does_asset_exist(path: str) -> bool:
        return _asset(path) is not None

    @staticmethod
    def find_asset_data(path: str) -> SimpleNamespace:
        file = _asset(path)
        name = "" if file is None else "World" if file.suffix == ".umap" else "LevelSequence"
        return SimpleNamespace(asset_class_path=SimpleNamespace(asset_name=_Name(name)))


class MoviePipelineOutputSetting:
    """Where pictures go; the class is also the key of it."""


class ConductorMoviePipelineExecutorJob:
    """A job of the queue; its settings are those of the plug-in's panel."""

    def __init__(self, name: str, sequence: str, level: str, output: SimpleNamespace, settings: Any) -> None:
        self.job_name, self.sequence, self.map = name, SoftObjectPath(sequence), SoftObjectPath(level)
        self.conductor_settings = settings
        self._output = output

    def get_configuration(self) -> SimpleNamespace:
        return SimpleNamespace(find_setting_by_class=lambda wanted: self._output)


class MoviePipelineQueue:
    def duplicate_job(self, job: ConductorMoviePipelineExecutorJob) -> None:
        pass


class MoviePipelineEditorLibrary:
    @staticmethod
    def save_queue_to_manifest_file(queue: MoviePipelineQueue) -> tuple[MoviePipelineQueue, str]:
        path = _project.parent / "Saved" / "QueueManifest.utxt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"the queue")
        return queue, str(path)
