"""What the plain forms look up around a coordinate, by `grid_sample`."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

Answer = Callable[[Tensor], Tensor]
"""From coordinates (B, Q, 2) to normalized colors (B, Q, 3)."""


def corners(coord: Tensor, features: Tensor) -> Iterator[Tensor]:
    """Where the four LR pixels around a coordinate are looked up."""
    for step in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        yield inside(coord + coord.new_tensor(step) / size_of(features, coord) + 1e-6)


def inside(place: Tensor) -> Tensor:
    return place.clamp(-1 + 1e-6, 1 - 1e-6)


def look_up(maps: Tensor, place: Tensor) -> Tensor:
    """The nearest pixel: (B, C, h, w), (B, Q, 2) -> (B, Q, C)"""
    found = functional.grid_sample(maps, place.flip(-1)[:, None], mode='nearest', align_corners=False)
    return found[:, :, 0].transpose(1, 2)


def bilinear(lr: Tensor, coord: Tensor) -> Tensor:
    grid = coord.flip(-1)[:, None]
    sampled = functional.grid_sample(lr, grid, mode='bilinear', padding_mode='border', align_corners=False)
    return sampled[:, :, 0].transpose(1, 2)


def relative_to(coord: Tensor, place: Tensor, features: Tensor) -> Tensor:
    """Offset from the center of the pixel at `place`, where an LR pixel is 2."""
    return (coord - look_up(centers(features), place)) * size_of(features, coord)


def centers(maps: Tensor) -> Tensor:
    """(B, 2, h, w) centers of pixels, (y, x) in [-1, 1]."""
    axes = [-1 + 1 / n + 2 / n * torch.arange(n, device=maps.device, dtype=maps.dtype) for n in maps.shape[2:]]
    return torch.stack(torch.meshgrid(*axes, indexing='ij'))[None].expand(len(maps), -1, -1, -1)


def size_of(maps: Tensor, like: Tensor) -> Tensor:
    return like.new_tensor(maps.shape[2:])


def cell_on(cell: Tensor, maps: Tensor) -> Tensor:
    return cell * size_of(maps, cell)


def per_query(values: Tensor, coord: Tensor) -> Tensor:
    return values[:, None].expand(-1, coord.shape[1], -1)


def unfolded(features: Tensor) -> Tensor:
    return functional.unfold(features, 3, padding=1).view(len(features), -1, *features.shape[2:])


def area_of(relative: Tensor) -> Tensor:
    return (relative[..., 0] * relative[..., 1]).abs() + 1e-9


def swapped(areas: list[Tensor]) -> list[Tensor]:
    """Share of each corner: the rectangle to the opposite one."""
    total = torch.stack(areas).sum(dim=0)
    return [(area / total)[..., None] for area in reversed(areas)]


def blend(predictions: list[Tensor], areas: list[Tensor]) -> Tensor:
    if len(predictions) == 1:
        return predictions[0]
    products = [prediction * weight for prediction, weight in zip(predictions, swapped(areas), strict=True)]
    return torch.stack(products).sum(dim=0)
