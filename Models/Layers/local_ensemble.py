"""The LR pixels around a coordinate, how far they are, how much each counts, and what stands in them.

Local ensemble: Chen et al., CVPR 2021, https://arxiv.org/abs/2012.09161, section 3. A color is predicted from each of
the four LR pixels around the coordinate; each prediction weighs as the rectangle between the coordinate and the
diagonally opposite pixel, as in bilinear interpolation. So the picture has no seams where the nearest pixel changes.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from Utilities.coordinates import centers_of_pixels, nearest_pixel, small_constant

# Constants of the published networks: which neighbor is nearest on a tie depends on them.
_NUDGE = 1e-6
_MIN_AREA = 1e-9


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


def neighbors_on_axis(
    coordinate: Float[Tensor, '*shape'], count: int, part: range | None, *, local_ensemble: bool
) -> AxisNeighbors:
    """Neighbors among rows, or among columns.

    Args:
        coordinate: along the axis, where all LR pixels span [-1, 1].
        count: LR pixels in all.
        part: those that are at hand, with borders of their own; None: all.
        local_ensemble: the two pixels around the coordinate, instead of the nearest.
    """
    shifted = coordinate[None]
    if local_ensemble:
        steps = small_constant([-1, 1], coordinate) / count + _NUDGE
        shifted = shifted + steps.view(2, *[1] * coordinate.ndim)
    pixel = nearest_pixel(shifted.clamp(-1 + _NUDGE, 1 - _NUDGE), count)
    if part is not None:
        pixel = pixel.clamp(part[0], part[-1])
    offset = (coordinate - centers_of_pixels(pixel, count, coordinate.dtype)) * count
    return AxisNeighbors(pixel if part is None else pixel - part.start, offset)


def cross_axes(rows: AxisNeighbors, columns: AxisNeighbors, row_length: int) -> Neighbors:
    """Neighbors of coordinates from those of their rows and columns, whose shapes agree but for the sides."""
    pixel = (rows.pixel[:, None] * row_length + columns.pixel[None]).flatten(0, 1)
    y, x = torch.broadcast_tensors(rows.offset[:, None], columns.offset[None])
    area = (y * x).abs().flatten(0, 1) + _MIN_AREA
    # Each prediction weighs as the opposite corner's rectangle.
    weight = area.flip(0) / area.sum(dim=0) if len(area) > 1 else torch.ones_like(area)
    return Neighbors(pixel, torch.stack([y, x], dim=-1).flatten(0, 1), weight)


def pixel_table(features: Float[Tensor, 'batch dim h w']) -> Float[Tensor, 'batch pixels dim']:
    """A feature map as one vector per LR pixel, row after row, to be looked up in."""
    return features.flatten(2).transpose(1, 2).contiguous()


def gather_pixels(
    table: Float[Tensor, 'batch pixels dim'], pixel: Int[Tensor, 'neighbors batch queries']
) -> Float[Tensor, 'neighbors batch queries dim']:
    """The vectors of the given LR pixels, each from its own image of the batch."""
    batch, pixels, dim = table.shape
    start = torch.arange(batch, device=pixel.device).mul(pixels)[None, :, None]
    return functional.embedding(pixel + start, table.reshape(batch * pixels, dim))
