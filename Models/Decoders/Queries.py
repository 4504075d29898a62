"""What is asked of an image: colors at some coordinates, and the LR pixels around each of them.

Local ensemble: Chen et al., CVPR 2021, https://arxiv.org/abs/2012.09161, section 3. A color is predicted from each of
the four LR pixels around the coordinate; each prediction weighs as the rectangle between the coordinate and the
diagonally opposite pixel, as in bilinear interpolation. So the picture has no seams where the nearest pixel changes.
"""

import copy
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from Utilities.coordinates import Crop, centers_of_pixels, nearest_pixel, relative_cell, small_constant

# Constants of the published networks: which neighbor is nearest on a tie depends on them.
_NUDGE = 1e-6
_MIN_AREA = 1e-9


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


class Neighbors(NamedTuple):
    """N neighbors of each coordinate: four with a local ensemble, else one."""

    pixel: Int[Tensor, 'neighbors batch queries']
    """Position in the LR image, or the crop of it, row * width + column."""

    offset: Float[Tensor, 'neighbors batch queries 2']
    """From the neighbor's center to the coordinate, (y, x), where one LR pixel is 2."""

    weight: Float[Tensor, 'neighbors batch queries']
    """Share of the neighbor's prediction; the shares of a coordinate add up to 1."""


class AxisNeighbors(NamedTuple):
    """What rows alone, or columns alone, say of the neighbors: two sides with a local ensemble, else one."""

    pixel: Int[Tensor, 'sides *shape']
    """Row or column of the LR image, or of the crop of it."""

    offset: Float[Tensor, 'sides *shape']
    """From its center to the coordinate, where one LR pixel is 2."""

    def at(self, index: Int[Tensor, ' queries']) -> 'AxisNeighbors':
        """Those of some of the rows or columns."""
        return AxisNeighbors(self.pixel[:, index], self.offset[:, index])


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
            _neighbors_on_axis(self._coord[..., axis], axis, view, local_ensemble=local_ensemble) for axis in (0, 1)
        )
        return _cross(rows, columns, view.row_length)

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
                _neighbors_on_axis(self._axes[axis], axis, view, local_ensemble=local_ensemble) for axis in (0, 1)
            )
            self._found[key] = rows, columns
        row, column = self._crossings
        rows, columns = self._found[key]
        pixel, offset, weight = (part[:, None] for part in _cross(rows.at(row), columns.at(column), view.row_length))
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


def pixel_table(features: Float[Tensor, 'batch dim h w']) -> Float[Tensor, 'batch pixels dim']:
    """A feature map as one vector per LR pixel, row after row, to be looked up in."""
    return features.flatten(2).transpose(1, 2).contiguous()


def gather_pixels(
    table: Float[Tensor, 'batch pixels dim'], pixel: Int[Tensor, 'neighbors batch queries']
) -> Float[Tensor, 'neighbors batch queries dim']:
    """The vectors of the given LR pixels, each from its own image of the batch."""
    batch, pixels, dim = table.shape
    start = torch.arange(batch, device=pixel.device).mul(pixels)[None, :, None]
    return torch.nn.functional.embedding(pixel + start, table.reshape(batch * pixels, dim))


def _neighbors_on_axis(
    coordinate: Float[Tensor, '*shape'], axis: int, view: View, *, local_ensemble: bool
) -> AxisNeighbors:
    count = view.lr_size[axis]
    shifted = coordinate[None]
    if local_ensemble:
        steps = small_constant([-1, 1], coordinate) / count + _NUDGE
        shifted = shifted + steps.view(2, *[1] * coordinate.ndim)
    pixel = nearest_pixel(shifted.clamp(-1 + _NUDGE, 1 - _NUDGE), count)
    if view.crop is None:
        return AxisNeighbors(pixel, (coordinate - centers_of_pixels(pixel, count, coordinate.dtype)) * count)
    part = (view.crop.rows, view.crop.columns)[axis]
    pixel = pixel.clamp(part[0], part[-1])
    offset = (coordinate - centers_of_pixels(pixel, count, coordinate.dtype)) * count
    return AxisNeighbors(pixel - part.start, offset)


def _cross(rows: AxisNeighbors, columns: AxisNeighbors, row_length: int) -> Neighbors:
    """Neighbors of coordinates from those of their rows and columns, whose shapes agree but for the sides."""
    pixel = (rows.pixel[:, None] * row_length + columns.pixel[None]).flatten(0, 1)
    y, x = torch.broadcast_tensors(rows.offset[:, None], columns.offset[None])
    area = (y * x).abs().flatten(0, 1) + _MIN_AREA
    # Each prediction weighs as the opposite corner's rectangle.
    weight = area.flip(0) / area.sum(dim=0) if len(area) > 1 else torch.ones_like(area)
    return Neighbors(pixel, torch.stack([y, x], dim=-1).flatten(0, 1), weight)
