"""A client library for the Conductor render farm.

The documented names are in the modules of ``conductor.lib``; the package exports them too, each loaded when it is first
used::

    import conductor
    response, status = conductor.Submit({...}).main()

``__init__.pyi`` says which names these are and where each is at home.
"""

from __future__ import annotations

import os


def _read_homes() -> dict[str, str]:
    """Return the module of every exported name, from lines such as ``from MODULE import NAME as NAME``."""
    stub = os.path.join(os.path.dirname(__file__), "__init__.pyi")  # noqa: PTH118, PTH120 - pathlib is slow to import
    # Through the loader, which also finds it in an archive.
    lines = __spec__.loader.get_data(stub).decode().splitlines()
    return {line.split()[3]: line.split()[1] for line in lines if line.startswith("from ")}


_HOMES = _read_homes()

__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> object:
    if name == "__version__":
        from conductor.version import VERSION

        return VERSION
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'conductor' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
