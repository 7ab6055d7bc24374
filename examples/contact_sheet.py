"""All pictures of a folder on one sheet. Needs Pillow.

python contact_sheet.py renders --out sheet.png
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

MARGIN = 10
LABEL = 16
BACKGROUND, INK = (24, 25, 29), (196, 200, 208)


def contact_sheet(paths: Sequence[Path], *, columns: int, width: int) -> Image.Image:
    """The pictures in rows, in cells `width` wide and of the first one's shape, each with its name below it."""
    with Image.open(paths[0]) as first:
        height = round(width * first.height / first.width)
    rows = math.ceil(len(paths) / columns)
    size = (MARGIN + columns * (width + MARGIN), MARGIN + rows * (height + LABEL + MARGIN))
    sheet = Image.new("RGB", size, BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(11)
    for number, path in enumerate(paths):
        row, column = divmod(number, columns)
        x, y = MARGIN + column * (width + MARGIN), MARGIN + row * (height + LABEL + MARGIN)
        with Image.open(path) as picture:
            fitted = ImageOps.contain(picture.convert("RGB"), (width, height), Image.Resampling.LANCZOS)
        sheet.paste(fitted, (x + (width - fitted.width) // 2, y + (height - fitted.height) // 2))
        pen.text((x, y + height + 2), path.name, INK, font)
    return sheet


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Put all pictures of a folder on one sheet.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--columns", type=int, default=6)
    parser.add_argument("--width", type=int, default=240, help="of each picture")
    given = parser.parse_args(arguments)
    paths = sorted(path for path in given.folder.rglob("*.png") if path.resolve() != given.out.resolve())
    if not paths:
        parser.error(f"there is no picture (*.png) in {given.folder}")
    contact_sheet(paths, columns=min(given.columns, len(paths)), width=given.width).save(given.out)
    print(f"{len(paths)} pictures on {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
