"""What is asked of an image: colors at some coordinates, for pixels of some size."""

import copy
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from Models.Layers.local_ensemble import AxisNeighbors, Neighbors, cross_axes, neighbors_on_axis
from Utilities.coordinates import Crop, relative_cell


class View(NamedTuple):
    """How an image is looked at: which part of it is at hand, and how large the HR pixels are."""

    lr_size: tuple[int, int]
    """(h, w) of the LR image that spans [-1, 1]."""

    cell: Float[Tensor, 'batch 2']
    """Height and width of an HR pixel in the same units, (2 / H, 2 / W)."""

    crop: Crop | None = None
    """The part of the LR image that is at hand, with borders of its own; None: all. Which pixels are neighbors is
    reckoned in the whole image, to the last bit: the rounding of an offset may decide a weight where all offsets are
    zero, and the nudge that settles ties is a part of the image."""

    @property
    def relative_cell(self) -> Float[Tensor, 'batch 2']:
        """The cell in units where one LR pixel is 2."""
        return relative_cell(self.cell, self.lr_size)

    @property
    def row_length(self) -> int:
        """LR pixels in a row of what is at hand."""
        return self.lr_size[1] if self.crop is None else len(self.crop.columns)

    @property
    def axes(self) -> tuple[tuple[int, range | None], tuple[int, range | None]]:
        """LR pixels along y and along x, and which of them are at hand; None: all."""
        rows, columns = (None, None) if self.crop is None else (self.crop.rows, self.crop.columns)
        return (self.lr_size[0], rows), (self.lr_size[1], columns)


class Queries:
    """Some coordinates of each image, scattered.

    Args:
        coord: centers of HR pixels as (y, x), where the image spans [-1, 1].
    """

    def __init__(self, coord: Float[Tensor, 'batch queries 2']) -> None:
        self._coord = coord

    def __len__(self) -> int:
        """Coordinates of each image."""
        return self._coord.shape[1]

    @property
    def coord(self) -> Float[Tensor, 'batch queries 2']:
        """The coordinates."""
        return self._coord

    def neighbors(self, view: View, *, local_ensemble: bool) -> Neighbors:
        """The LR pixels that each coordinate is predicted from.

        Args:
            view: where they are.
            local_ensemble: the four pixels around the coordinate, in the order upper left, upper right, lower left,
                lower right; beyond a border the border's pixel stands in. False: the nearest pixel alone.
        """
        rows, columns = (
            neighbors_on_axis(self._coord[..., axis], *view.axes[axis], local_ensemble=local_ensemble)
            for axis in (0, 1)
        )
        return cross_axes(rows, columns, view.row_length)

    def pieces(self, size: int) -> 'Iterator[Queries]':
        """The same coordinates in their order, at most so many at a time."""
        for coord in self._coord.split(size, dim=1):
            yield Queries(coord)


class GridQueries(Queries):
    """All crossings of rows and columns, row after row, or a part of them; the same for each image.

    Neighbors are found once per row and per column for all parts, and equal those of scattered coordinates to the last
    bit.

    Args:
        rows, columns: coordinates along y and along x.
        batch: images.
    """

    def __init__(self, rows: Float[Tensor, ' height'], columns: Float[Tensor, ' width'], batch: int = 1) -> None:
        self._axes = (rows, columns)
        self._batch = batch
        self._part = range(len(rows) * len(columns))
        self._found: dict[tuple[object, ...], tuple[AxisNeighbors, AxisNeighbors]] = {}

    def __len__(self) -> int:
        return len(self._part)

    @property
    def coord(self) -> Float[Tensor, 'batch queries 2']:
        crossings = zip(self._axes, self._crossings, strict=True)
        return torch.stack([axis[index] for axis, index in crossings], dim=-1).expand(self._batch, -1, -1)

    def neighbors(self, view: View, *, local_ensemble: bool) -> Neighbors:
        key = (view.lr_size, view.crop, local_ensemble)
        if key not in self._found:
            rows, columns = (
                neighbors_on_axis(self._axes[axis], *view.axes[axis], local_ensemble=local_ensemble) for axis in (0, 1)
            )
            self._found[key] = rows, columns
        row, column = self._crossings
        rows, columns = self._found[key]
        pixel, offset, weight = (
            part[:, None] for part in cross_axes(rows.at(row), columns.at(column), view.row_length)
        )
        of_all = pixel.expand(-1, self._batch, -1), offset.expand(-1, self._batch, -1, -1)
        return Neighbors(*of_all, weight.expand(-1, self._batch, -1))

    def pieces(self, size: int) -> 'Iterator[GridQueries]':
        for start in range(0, len(self._part), size):
            piece = copy.copy(self)  # it shares what was found
            piece._part = self._part[start : start + size]
            yield piece

    @property
    def _crossings(self) -> tuple[Int[Tensor, ' queries'], Int[Tensor, ' queries']]:
        """Which row and which column each coordinate is on."""
        rows, columns = self._axes
        pixel = torch.arange(self._part.start, self._part.stop, device=rows.device)
        return pixel // len(columns), pixel % len(columns)
