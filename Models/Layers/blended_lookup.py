"""First layers of the four weighted feature vectors around a coordinate, where the features are few.

The layer and the weighting commute, so each LR pixel goes through the layer once instead of once per HR pixel; what is
left per HR pixel is a weighted sum of rows. The same functions as the plain forms of SRNO and HIIF, up to rounding.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from Models.Layers.local_ensemble import Neighbors, gather_pixels


def can_share() -> bool:
    """Whether the forms below are right: they look at the numbers and the sizes, which a compiler must not."""
    return not torch.compiler.is_compiling()


def weighted_vectors(
    table: Float[Tensor, 'batch pixels dim'], neighbors: Neighbors
) -> Float[Tensor, 'batch queries inputs']:
    """The neighbors' vectors times their shares, side by side: the inputs of the plain forms."""
    vectors = gather_pixels(table, neighbors.pixel) * neighbors.weight[..., None]
    return torch.cat([*vectors], dim=-1)


def blended_srno(
    table: Float[Tensor, 'batch pixels dim'],
    neighbors: Neighbors,
    cell: Float[Tensor, 'batch 2'],
    layer: nn.Linear | nn.Conv2d,
) -> Float[Tensor, 'batch queries width']:
    """A linear layer of the four offsets, the four weighted vectors, and the cell."""
    part, pixel = _cut_to_reach(table, neighbors.pixel)
    weight = layer.weight.flatten(1)  # (width, 8 for the offsets + 4 * dim for the features + 2 for the cell)
    of_cell = functional.linear(cell, weight[:, -2:], layer.bias)
    offsets = neighbors.offset.permute(1, 2, 0, 3).flatten(2)
    placed = torch.baddbmm(of_cell[:, None], offsets, weight[:, :8].T.expand(len(offsets), -1, -1))
    return placed + _linear(part, pixel, neighbors.weight, weight[:, 8:-2])


def blended_hiif(
    table: Float[Tensor, 'batch pixels dim'],
    neighbors: Neighbors,
    others: Float[Tensor, 'batch queries 4'],
    norm: nn.LayerNorm,
    layer: nn.Linear,
) -> Float[Tensor, 'batch queries width']:
    """Layer norm of the four weighted vectors and other numbers, then a linear layer."""
    part, pixel = _cut_to_reach(table, neighbors.pixel)
    # The norm's weights and means go into the layer's weights; its deviation divides before the bias.
    weight = layer.weight * norm.weight
    bias = functional.linear(norm.bias, layer.weight, layer.bias)
    weight = weight - weight.mean(dim=1, keepdim=True)
    centered = _linear(part, pixel, neighbors.weight, weight[:, :-4])
    centered = torch.baddbmm(centered, others, weight[:, -4:].T.expand(len(others), -1, -1))
    deviation = (_variance(part, pixel, neighbors.weight, others) + norm.eps).sqrt()
    return torch.addcdiv(bias, centered, deviation[..., None])


def _cut_to_reach(
    table: Float[Tensor, 'batch pixels dim'], pixel: Int[Tensor, 'neighbors batch queries']
) -> tuple[Float[Tensor, 'batch part dim'], Int[Tensor, 'neighbors batch queries']]:
    """The rows from the first to the last that are asked for, and the positions in them.

    A chunk of a picture reaches a few rows of LR pixels only. On a GPU nothing is cut: to learn the range would halt
    it, and its chunks are large.
    """
    if table.device.type != 'cpu' or pixel.numel() == 0:
        return table, pixel
    first, last = (int(end) for end in pixel.aminmax())
    return table[:, first : last + 1], pixel - first


def _linear(
    table: Float[Tensor, 'batch pixels dim'],
    pixel: Int[Tensor, 'neighbors batch queries'],
    share: Float[Tensor, 'neighbors batch queries'],
    weight: Float[Tensor, 'width neighbors*dim'],
) -> Float[Tensor, 'batch queries width']:
    """What a linear layer without bias gives for the neighbors' vectors, times their shares, side by side.

    Args:
        table: a vector per LR pixel.
        pixel: positions in it.
        share: what each neighbor's vector is multiplied with.
        weight: of the layer; its inputs are the vectors of the first neighbor, of the second, ...
    """
    neighbors, batch, queries = pixel.shape
    pixels = table.shape[1]
    if pixels >= queries:
        vectors = gather_pixels(table, pixel) * share[..., None]
        return functional.linear(torch.cat([*vectors], dim=-1), weight)
    by_neighbor = weight.unflatten(1, (neighbors, -1)).transpose(0, 1).flatten(0, 1)  # (neighbors * width, dim)
    # Rows as precise as the shares: under autocast they are not, and shares never get rounded.
    rows = functional.linear(table, by_neighbor).to(share.dtype).view(batch * pixels * neighbors, -1)
    start = torch.arange(batch, device=pixel.device)[:, None] * pixels
    place = (pixel + start) * neighbors + torch.arange(neighbors, device=pixel.device)[:, None, None]
    place, share = (values.permute(1, 2, 0).flatten(0, 1) for values in (place, share))
    blended = functional.embedding_bag(place.contiguous(), rows, per_sample_weights=share.contiguous(), mode='sum')
    return blended.unflatten(0, (batch, queries))


def _variance(
    table: Float[Tensor, 'batch pixels dim'],
    pixel: Int[Tensor, '4 batch queries'],
    share: Float[Tensor, '4 batch queries'],
    others: Float[Tensor, 'batch queries 4'],
) -> Float[Tensor, 'batch queries']:
    """Of what goes into a layer: four vectors times their shares, and other numbers, all together."""
    width = table.shape[2]
    of_pixels = torch.stack([table.mean(dim=2), table.var(dim=2, correction=0)], dim=2)
    means, variances = gather_pixels(of_pixels, pixel).unbind(dim=-1)
    means = means * share
    count = 4 * width + others.shape[2]
    mean = (width * means.sum(dim=0) + others.sum(dim=2)) / count
    # Around the common mean, so that no large numbers are subtracted.
    of_vectors = width * (variances * share.square() + (means - mean).square()).sum(dim=0)
    return (of_vectors + (others - mean[..., None]).square().sum(dim=2)) / count
