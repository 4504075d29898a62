"""The four LR neighbors of a coordinate, how far they are, and how much each counts.

Local ensemble: Chen et al., CVPR 2021, https://arxiv.org/abs/2012.09161, section 3. A color is predicted from each of
the four LR pixels around the coordinate; each prediction weighs as the rectangle between the coordinate and the
diagonally opposite pixel, as in bilinear interpolation. So the picture has no seams where the nearest pixel changes.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from Utilities.coordinates import Crop, PixelChunks, nearest_pixel, small_constant

# Constants of the published networks: which neighbor is nearest on a tie depends on them.
_NUDGE = 1e-6
_MIN_AREA = 1e-9


class Neighbors(NamedTuple):
    """N neighbors of each coordinate: four with a local ensemble, else one."""

    pixel: Int[Tensor, 'neighbors batch queries']
    """Position in the LR image, or the crop of it, row * width + column."""

    offset: Float[Tensor, 'neighbors batch queries 2']
    """From the neighbor's centre to the coordinate, (y, x), where one LR pixel is 2."""

    weight: Float[Tensor, 'neighbors batch queries']
    """Share of the neighbor's prediction; the shares of a coordinate add up to 1."""

    def piece(self, image: int, span: slice) -> 'NeighborsOfOne':
        """Some coordinates of one image; neighbors of a batch of one are those of every image."""
        image = image if self.pixel.shape[1] > 1 else 0
        return NeighborsOfOne(self.pixel[:, image, span], self.offset[:, image, span], self.weight[:, image, span])


class NeighborsInTurn(NamedTuple):
    """As `Neighbors`, but with those of one coordinate after the other, so that pieces are cut out without a copy."""

    pixel: Int[Tensor, 'batch rows']
    offset: Float[Tensor, 'batch rows 2']
    weight: Float[Tensor, 'batch queries neighbors']

    @classmethod
    def of(cls, neighbors: Neighbors, batch: int) -> 'NeighborsInTurn':
        """Neighbors of a batch of one are those of every image."""
        pixel, offset, weight = (part.movedim(0, 2) for part in neighbors)
        in_turn = pixel.flatten(1), offset.flatten(1, 2), weight
        return cls(*(part.expand(batch, *part.shape[1:]) for part in in_turn))


class NeighborsOfOne(NamedTuple):
    """As `Neighbors`, of a single image."""

    pixel: Int[Tensor, 'neighbors queries']
    offset: Float[Tensor, 'neighbors queries 2']
    weight: Float[Tensor, 'neighbors queries']


class AxisNeighbors(NamedTuple):
    """What rows alone, or columns alone, say of the neighbors: two sides with a local ensemble, else one."""

    pixel: Int[Tensor, 'sides *shape']
    """Row or column of the LR image, or of the crop of it."""

    offset: Float[Tensor, 'sides *shape']
    """From its centre to the coordinate, where one LR pixel is 2."""


class GridNeighbors(NamedTuple):
    """Neighbors of every crossing of some rows and columns, known per row and per column."""

    rows: AxisNeighbors
    columns: AxisNeighbors
    row_length: int
    """LR pixels in a row of the image, or of the crop of it."""

    def of(self, row: Int[Tensor, ' queries'], column: Int[Tensor, ' queries']) -> Neighbors:
        """The neighbors of some crossings, for a batch of one: those of all images are the same."""
        along_y = AxisNeighbors(self.rows.pixel[:, row], self.rows.offset[:, row])
        along_x = AxisNeighbors(self.columns.pixel[:, column], self.columns.offset[:, column])
        neighbors = _cross(along_y, along_x, self.row_length)
        return Neighbors(neighbors.pixel[:, None], neighbors.offset[:, None], neighbors.weight[:, None])


class Places(NamedTuple):
    """Coordinates, and the neighbors of a local ensemble around them."""

    coord: Float[Tensor, 'batch queries 2']
    neighbors: Neighbors

    @classmethod
    def at(
        cls, coord: Float[Tensor, 'batch queries 2'], lr_size: tuple[int, int], crop: Crop | None = None
    ) -> 'Places':
        """Any coordinates; the arguments are those of `find_neighbors`."""
        return cls(coord, find_neighbors(coord, lr_size, local_ensemble=True, crop=crop))


class PlacesInChunks:
    """Places piece by piece; where the coordinates form a grid, neighbors are found once per row and per column.

    Args:
        chunks: coordinates in pieces.
        lr_size, crop: as for `find_neighbors`.
    """

    def __init__(
        self, chunks: Iterable[Float[Tensor, 'batch _ 2']], lr_size: tuple[int, int], crop: Crop | None = None
    ) -> None:
        self._chunks = chunks
        self._where: tuple[tuple[int, int], Crop | None] = (lr_size, crop)

    def __iter__(self) -> Iterator[Places]:
        lr_size, crop = self._where
        chunks = self._chunks
        if not isinstance(chunks, PixelChunks):
            for coord in chunks:
                yield Places.at(coord, lr_size, crop)
            return
        grid = find_grid_neighbors(chunks.rows, chunks.columns, lr_size, local_ensemble=True, crop=crop)
        for coord, crossing in zip(chunks, chunks.crossings(), strict=True):
            pixel, offset, weight = grid.of(*crossing)
            of_one = pixel.expand(-1, chunks.batch, -1), offset.expand(-1, chunks.batch, -1, -1)
            yield Places(coord, Neighbors(*of_one, weight.expand(-1, chunks.batch, -1)))


def find_neighbors(
    coord: Float[Tensor, 'batch queries 2'],
    lr_size: tuple[int, int],
    *,
    local_ensemble: bool,
    crop: Crop | None = None,
) -> Neighbors:
    """Find the LR pixels that a coordinate is predicted from.

    Args:
        coord: (y, x) in [-1, 1].
        lr_size: (h, w) of the image that spans [-1, 1].
        local_ensemble: the four pixels around the coordinate, in the order upper left, upper right, lower left,
            lower right; beyond a border the border's pixel stands in. False: the nearest pixel alone.
        crop: the part of the image whose pixels are at hand, with borders of its own. Which pixels are neighbors is
            reckoned in the whole image, to the last bit: the rounding of an offset may decide a weight where all
            offsets are zero, and the nudge that settles ties is a part of the image.
    """
    crop = crop or Crop.whole(lr_size)
    rows = _find_on_axis(coord[..., 0], lr_size[0], crop.rows, local_ensemble=local_ensemble)
    columns = _find_on_axis(coord[..., 1], lr_size[1], crop.columns, local_ensemble=local_ensemble)
    return _cross(rows, columns, len(crop.columns))


def find_grid_neighbors(
    rows: Float[Tensor, ' height'],
    columns: Float[Tensor, ' width'],
    lr_size: tuple[int, int],
    *,
    local_ensemble: bool,
    crop: Crop | None = None,
) -> GridNeighbors:
    """As `find_neighbors`, to the last bit, for all crossings of rows and columns; the arguments are the same."""
    crop = crop or Crop.whole(lr_size)
    return GridNeighbors(
        _find_on_axis(rows, lr_size[0], crop.rows, local_ensemble=local_ensemble),
        _find_on_axis(columns, lr_size[1], crop.columns, local_ensemble=local_ensemble),
        len(crop.columns),
    )


def _find_on_axis(
    coordinate: Float[Tensor, '*shape'], count: int, crop: range, *, local_ensemble: bool
) -> AxisNeighbors:
    shifted = coordinate[None]
    if local_ensemble:
        steps = small_constant([-1, 1], coordinate) / count + _NUDGE
        shifted = shifted + steps.view(2, *[1] * coordinate.ndim)
    pixel = nearest_pixel(shifted.clamp(-1 + _NUDGE, 1 - _NUDGE), count).clamp(crop[0], crop[-1])
    return AxisNeighbors(pixel - crop.start, (coordinate - _center(pixel, count, coordinate.dtype)) * count)


def _cross(rows: AxisNeighbors, columns: AxisNeighbors, row_length: int) -> Neighbors:
    """Neighbors of coordinates from those of their rows and columns, whose shapes agree but for the sides."""
    pixel = (rows.pixel[:, None] * row_length + columns.pixel[None]).flatten(0, 1)
    y, x = torch.broadcast_tensors(rows.offset[:, None], columns.offset[None])
    area = (y * x).abs().flatten(0, 1) + _MIN_AREA
    # Each prediction weighs as the opposite corner's rectangle.
    weight = area.flip(0) / area.sum(dim=0) if len(area) > 1 else torch.ones_like(area)
    return Neighbors(pixel, torch.stack([y, x], dim=-1).flatten(0, 1), weight)


def _center(index: Int[Tensor, '*shape'], count: int, dtype: torch.dtype) -> Float[Tensor, '*shape']:
    # The same operations as in coordinates.pixel_centers, so that the last bit agrees.
    half = 1 / count
    return -1 + half + (2 * half) * index.to(dtype)


def gather_pixels(
    table: Float[Tensor, 'batch pixels dim'], pixel: Int[Tensor, 'neighbors batch queries']
) -> Float[Tensor, 'neighbors batch queries dim']:
    """The vectors of the given LR pixels, each from its own image of the batch."""
    batch, pixels, dim = table.shape
    start = torch.arange(batch, device=pixel.device).mul(pixels)[None, :, None]
    return torch.nn.functional.embedding(pixel + start, table.reshape(batch * pixels, dim))
