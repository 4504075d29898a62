"""The four LR neighbors of a coordinate, how far they are, and how much each counts.

Local ensemble: Chen et al., CVPR 2021, https://arxiv.org/abs/2012.09161, section 3. A color is predicted from each of
the four LR pixels around the coordinate; each prediction weighs as the rectangle between the coordinate and the
diagonally opposite pixel, as in bilinear interpolation. So the picture has no seams where the nearest pixel changes.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from Utilities.coordinates import Crop, nearest_pixel, small_constant

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
    size = small_constant(lr_size, coord)
    if local_ensemble:
        signs = small_constant([[-1, -1], [-1, 1], [1, -1], [1, 1]], coord)
        shifted = coord + (signs / size + _NUDGE)[:, None, None]
    else:
        shifted = coord[None]
    shifted = shifted.clamp(-1 + _NUDGE, 1 - _NUDGE)

    rows = nearest_pixel(shifted[..., 0], lr_size[0]).clamp(crop.rows[0], crop.rows[-1])
    columns = nearest_pixel(shifted[..., 1], lr_size[1]).clamp(crop.columns[0], crop.columns[-1])
    centers = torch.stack([_center(rows, lr_size[0], coord.dtype), _center(columns, lr_size[1], coord.dtype)], dim=-1)
    offset = (coord - centers) * size

    area = offset.prod(dim=-1).abs() + _MIN_AREA
    # Each prediction weighs as the opposite corner's rectangle.
    weight = area.flip(0) / area.sum(dim=0) if local_ensemble else torch.ones_like(area)
    return Neighbors(crop.position_of(rows, columns), offset, weight)


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
