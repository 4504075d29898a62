"""Published algorithms written plainly, with a library's own lookups: slow, and independent of our code."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def naive_liif(
    imnet: nn.Module, features: Tensor, coord: Tensor, cell: Tensor, *, ensemble: bool, unfold: bool, cell_decode: bool
) -> Tensor:
    """LIIF (Chen et al., CVPR 2021): unfold, look up each corner with grid_sample, one MLP call per corner.

    features (B, C, h, w), coord (B, Q, 2), cell (B, 2) -> (B, Q, 3)
    """
    batch, _, height, width = features.shape
    size = coord.new_tensor([height, width])
    ys, xs = ((torch.arange(n, dtype=coord.dtype) * 2 + 1) / n - 1 for n in (height, width))
    centers = torch.stack(torch.meshgrid(ys, xs, indexing='ij')).expand(batch, 2, height, width)
    if unfold:
        features = functional.unfold(features, 3, padding=1).view(batch, -1, height, width)
    shifts = [(-1, -1), (-1, 1), (1, -1), (1, 1)] if ensemble else [(0, 0)]
    predictions, areas = [], []
    for dy, dx in shifts:
        place = coord + coord.new_tensor([dy, dx]) / size + (1e-6 if ensemble else 0)
        grid = place.clamp(-1 + 1e-6, 1 - 1e-6).flip(-1)[:, None]
        feature = functional.grid_sample(features, grid, mode='nearest', align_corners=False)[:, :, 0].transpose(1, 2)
        center = functional.grid_sample(centers, grid, mode='nearest', align_corners=False)[:, :, 0].transpose(1, 2)
        relative = (coord - center) * size
        parts = [feature, relative]
        if cell_decode:
            parts.append((cell * size)[:, None].expand(-1, coord.shape[1], -1))
        predictions.append(imnet(torch.cat(parts, dim=-1)))
        areas.append((relative[..., 0] * relative[..., 1]).abs() + 1e-9)
    total = torch.stack(areas).sum(dim=0)
    opposite = areas[::-1]
    return sum(
        (prediction * (area / total)[..., None] for prediction, area in zip(predictions, opposite, strict=True)),
        torch.zeros_like(predictions[0]),
    )
