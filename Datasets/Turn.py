"""Flips and transpositions of training crops."""

from typing import NamedTuple

import numpy as np

from Utilities.images import Pixels


class Turn(NamedTuple):
    """One of the eight ways to lay a square on itself: flip left-right, flip top-bottom, transpose, in this order."""

    horizontally: int = 0
    vertically: int = 0
    transposed: int = 0

    def apply(self, picture: Pixels) -> Pixels:
        """A turned view of a picture."""
        turned = picture[:, ::-1] if self.horizontally else picture
        turned = turned[::-1] if self.vertically else turned
        return turned.transpose(1, 0, 2) if self.transposed else turned

    def locate(
        self, rows: np.ndarray, columns: np.ndarray, corner: tuple[int, int], side: int, width: int
    ) -> np.ndarray:
        """Where the pixels of a turned crop are in the picture that it was cut from, row after row.

        Args:
            rows, columns: of the pixels in the turned crop.
            corner: (top, left) of the crop in the picture.
            side: of the crop.
            width: of the picture.
        """
        if self.transposed:
            rows, columns = columns, rows
        top, left = corner
        # From the far end backwards, if flipped.
        down = -width if self.vertically else width
        right = -1 if self.horizontally else 1
        start = (top + self.vertically * (side - 1)) * width + left + self.horizontally * (side - 1)
        return rows * down + (columns * right + start)
