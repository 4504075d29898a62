"""Where pixels are. Everywhere in the framework an image spans [-1, 1] in both directions, last axis (y, x).

The centre of pixel i of n is at -1 + (2 i + 1) / n, as in LIIF (Chen et al., CVPR 2021); a cell is the height and width
of one HR pixel in the same units, (2 / H, 2 / W).
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Crop(NamedTuple):
    """The part of an LR picture that is at hand, where coordinates and cell are still those of the whole picture."""

    lr_size: tuple[int, int]
    """(h, w) of the whole picture."""

    rows: range
    """LR pixels of the whole, in steps of 1."""

    columns: range

    @classmethod
    def whole(cls, lr_size: tuple[int, int]) -> 'Crop':
        """All of a picture."""
        return cls(lr_size, range(lr_size[0]), range(lr_size[1]))

    def position_of(self, rows: Int[Tensor, '*shape'], columns: Int[Tensor, '*shape']) -> Int[Tensor, '*shape']:
        """Position of the whole picture's pixels among those of the crop, row after row."""
        return (rows - self.rows.start) * len(self.columns) + (columns - self.columns.start)


@dataclasses.dataclass(frozen=True)
class PixelChunks:
    """Coordinates of all crossings of rows and columns, row after row, in pieces; each pass gives the same."""

    rows: Float[Tensor, ' height']
    columns: Float[Tensor, ' width']
    per_chunk: int
    batch: int

    def __iter__(self) -> Iterator[Float[Tensor, 'batch _ 2']]:
        for row, column in self.crossings():
            yield torch.stack([self.rows[row], self.columns[column]], dim=-1).expand(self.batch, -1, -1)

    def crossings(self) -> Iterator[tuple[Int[Tensor, ' queries'], Int[Tensor, ' queries']]]:
        """Which row and which column each coordinate of a piece is on, for what is known per row and per column."""
        count, width = len(self.rows) * len(self.columns), len(self.columns)
        for start in range(0, count, self.per_chunk):
            pixel = torch.arange(start, min(start + self.per_chunk, count), device=self.rows.device)
            yield pixel // width, pixel % width


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
    """Centres of `count` pixels in a row, in [-1, 1]."""
    half = 1 / count
    # The published order of operations, so that the last bit agrees too: it decides which neighbor is nearest.
    return -1 + half + (2 * half) * torch.arange(count, device=device, dtype=dtype)


def centers_in_crop(pixels: range, count: int, crop: range, lr_count: int) -> Float[Tensor, ' pixels']:
    """Centres of some HR pixels of a row, where not the whole row but a crop of its LR pixels spans [-1, 1].

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
    return cell * small_constant(lr_size, cell)


def nearest_pixel(coordinate: Float[Tensor, '*shape'], count: int) -> Int[Tensor, '*shape']:
    """Index of the pixel of `count` that a coordinate falls into.

    The arithmetic is that of `torch.nn.functional.grid_sample` (mode nearest, align_corners False), half to even
    included, so that ties fall as in the published networks. It is written out because a sampled picture may not
    depend on which other coordinates are asked for in the same call.
    """
    position = ((coordinate + 1) * count - 1) / 2
    return position.round().long().clamp(0, count - 1)
