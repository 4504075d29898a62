"""Tiles of a picture, one axis at a time.

The HR pixels of the LR pixels [first, last) are those whose center falls inside. So tiles that cover the LR pixels once
cover the HR pixels once, at any scale. It is reckoned in whole numbers, so that rounding decides nothing.
"""

from typing import NamedTuple


class Span(NamedTuple):
    """One axis of a tile."""

    pixels: range
    """HR pixels that the tile answers for."""

    crop: range
    """LR pixels that it sees."""


def split_axis(lr_count: int, count: int, side: int, margin: int) -> list[Span]:
    """Cut an axis into tiles of `side` LR pixels, of which the last may be shorter.

    Args:
        lr_count: LR pixels along the axis.
        count: HR pixels along it.
        side: LR pixels of a tile.
        margin: LR pixels that a tile sees beyond each end of itself, as far as there are any.

    Returns:
        The tiles that answer for any HR pixel; when a picture is made smaller, some may not.
    """
    spans = []
    for first in range(0, lr_count, side):
        last = min(first + side, lr_count)
        pixels = range(_first_pixel(first, lr_count, count), _first_pixel(last, lr_count, count))
        if pixels:
            spans.append(Span(pixels, range(max(first - margin, 0), min(last + margin, lr_count))))
    return spans


def _first_pixel(border: int, lr_count: int, count: int) -> int:
    """The first HR pixel whose center, (pixel + 1/2) * lr_count / count, is not before an LR pixel's border."""
    return -((lr_count - 2 * border * count) // (2 * lr_count))
