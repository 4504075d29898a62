"""Coordinates of pixel centers: everywhere in the framework an image spans [-1, 1] both ways, last axis (y, x).

The center of pixel i of n is at -1 + (2 i + 1) / n, as in LIIF (Chen et al., CVPR 2021); a cell is the height and width
of one HR pixel in the same units, (2 / H, 2 / W).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

"""A scale is one number, or one per axis; this is how it is read and written."""


class Crop(NamedTuple):
    """The part of an LR picture that is at hand, where coordinates and cell are still those of the whole picture."""

    lr_size: tuple[int, int]
    """(h, w) of the whole picture."""

    rows: range
    """LR pixels of the whole, in steps of 1."""

    columns: range


def small_constant(numbers: Sequence[float] | Sequence[Sequence[float]], like: Tensor) -> Float[Tensor, '*shape']:
    """Plain numbers as a tensor of the device and type of another one, which a GPU is not waited for.

    `new_tensor` copies from ordinary memory, and such a copy waits until the GPU has done all that it was given before.
    """
    if like.device.type != 'cuda' or torch.compiler.is_compiling():
        return like.new_tensor(numbers)
    return torch.tensor(numbers, dtype=like.dtype, pin_memory=True).to(like.device, non_blocking=True)


def pixel_centers(
    count: int, *, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> Float[Tensor, '{count}']:
    """Centers of `count` pixels in a row, in [-1, 1]."""
    return centers_of_pixels(torch.arange(count, device=device), count, dtype)


def centers_of_pixels(
    index: Int[Tensor, '*shape'], count: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, '*shape']:
    """Centers of some of `count` pixels in a row, in [-1, 1]."""
    half = 1 / count
    # The published order of operations, so that the last bit agrees too: it decides which neighbor is nearest.
    return -1 + half + (2 * half) * index.to(dtype)


def centers_in_crop(pixels: range, count: int, crop: range, lr_count: int) -> Float[Tensor, ' pixels']:
    """Centers of some HR pixels of a row, where not the whole row but a crop of its LR pixels spans [-1, 1].

    Args:
        pixels: of the whole row, in steps of 1.
        count: HR pixels in the whole row.
        crop: LR pixels of the whole row, in steps of 1.
        lr_count: LR pixels in the whole row.

    Returns:
        On the CPU, in double precision.
    """
    # Whole numbers up to one division, so that the crop's place costs no digits.
    index = torch.arange(pixels.start, pixels.stop)
    return ((2 * index + 1) * lr_count - (crop.start + crop.stop) * count).double() / (count * len(crop))


def coordinates_of(rows: Float[Tensor, ' height'], columns: Float[Tensor, ' width']) -> Float[Tensor, 'height*width 2']:
    """All (y, x) pairs of the given rows and columns, row after row."""
    grid = torch.stack(torch.meshgrid(rows, columns, indexing='ij'), dim=-1)  # (H, W, 2)
    return grid.flatten(0, 1)


def cell_of(
    size: tuple[int, int], *, batch: int = 1, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> Float[Tensor, '{batch} 2']:
    """Height and width of one pixel of an image of `size` (H, W)."""
    return torch.tensor([2 / size[0], 2 / size[1]], device=device, dtype=dtype).expand(batch, 2)


def relative_cell(cell: Float[Tensor, 'batch 2'], lr_size: tuple[int, int]) -> Float[Tensor, 'batch 2']:
    """Size of one HR pixel on the LR grid.

    Args:
        cell: height and width of an HR pixel where the whole image spans [-1, 1], so 2 / HR size.
        lr_size: (h, w) of the feature map in pixels.

    Returns:
        Height and width in units where one LR pixel is 2; at scale 4 both are 0.5.
    """
    # Side by side, so that sizes may be free where a network is exported.
    return torch.stack([cell[:, 0] * lr_size[0], cell[:, 1] * lr_size[1]], dim=-1)


def nearest_pixel(coordinate: Float[Tensor, '*shape'], count: int) -> Int[Tensor, '*shape']:
    """Index of the pixel of `count` that a coordinate falls into.

    The arithmetic is that of `torch.nn.functional.grid_sample` (mode nearest, align_corners False), half to even
    included, so that ties fall as in the published networks. It is written out because a sampled picture may not
    depend on which other coordinates are asked for in the same call.
    """
    position = ((coordinate + 1) * count - 1) / 2
    return position.round().long().clamp(0, count - 1)


AnyScale = float | tuple[float, float]
"""HR size over LR size: for both axes, or (vertical, horizontal), in the order of shapes."""


def scale_per_axis(scale: AnyScale) -> tuple[float, float]:
    """(vertical, horizontal)."""
    return scale if isinstance(scale, tuple) else (scale, scale)


def scale_text(scale: AnyScale) -> str:
    """`2.7`, or `2x3.5` as people say sizes: width first. Fits into file names and reads back with six digits."""
    vertical, horizontal = scale_per_axis(scale)
    return f'{vertical:g}' if vertical == horizontal else f'{horizontal:g}x{vertical:g}'
