"""The README as a package index shows it: what it links in the repository is not there, so such a link is its words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

IMAGE = re.compile(r"!\[[^\]]*\]\((?!https?:)[^)\s]*\)\n*")
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?!https?:)[^)\s]*\)")


def for_an_index(text: str) -> str:
    """A page without its relative images and links."""
    return LINK.sub(r"\1", IMAGE.sub("", text))


class ReadmeHook(MetadataHookInterface):
    """Puts that text into the metadata of what is built."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `readme`."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": for_an_index(text)}
