"""Attention over a window of pixels whose weighted values all go into a linear layer, by windows instead of by queries.

CLIT (Chen et al., CVPR 2023, https://arxiv.org/abs/2303.16513) does not sum the values over the window: of 7x7 pixels
with 256 channels the layer has 12 544 inputs. But for one head and one pixel of the window they are the same values
times one number, so what the layer makes of the values is computed once per window, and each query weighs it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

# What the layer makes of so many numbers' worth of windows is kept at a time (32 MB).
_NUMBERS_AT_ONCE = 2**23
# With fewer queries per window on average, sharing costs more than it saves.
_WORTHWHILE = 2


class Windows(NamedTuple):
    """The rows of a table that each query's window covers."""

    corner: Int[Tensor, 'batch queries']
    """Row of the window's first pixel."""

    steps: Int[Tensor, ' window']
    """From there to each of its pixels."""


class _Group(NamedTuple):
    """Queries of some windows, as many places for each window."""

    corner: Int[Tensor, ' windows']
    """One per window, in the tables of all images one after the other."""

    query: Int[Tensor, ' chosen']
    """Which queries, of all images one after the other."""

    place: Int[Tensor, ' chosen']
    """Where each of them goes: window * places + place within the window."""

    places: int


def attend_windows(  # noqa: PLR0913
    windows: Windows,
    query: Float[Tensor, 'batch queries heads dim'],
    bias: Float[Tensor, 'batch queries window heads'],
    keys: Float[Tensor, 'batch rows heads dim'],
    values: Float[Tensor, 'batch rows heads dim'],
    weight: Float[Tensor, 'width window*heads*dim'],
) -> Float[Tensor, 'batch queries width']:
    """What a linear layer without bias makes of the values, each times its share of the attention.

    Args:
        windows: which rows of keys and values each query sees.
        query: compared with the keys.
        bias: added to the comparison.
        keys, values: tables of each image.
        weight: of the layer; its inputs are ordered (pixel of the window, head, channel).
    """
    batch, count, heads, dim = query.shape
    window = len(windows.steps)
    corner = windows.corner + torch.arange(batch, device=query.device)[:, None] * keys.shape[1]
    asked, bias = query.flatten(0, 1) / dim**0.5, bias.flatten(0, 1)
    keys, values = keys.flatten(0, 1).flatten(1), values.flatten(0, 1).flatten(1)
    if not _worth_sharing(corner):
        rows = corner.flatten()[:, None] + windows.steps
        seen_keys, seen_values = (
            functional.embedding(rows, table).unflatten(2, (heads, dim)) for table in (keys, values)
        )
        shares = (torch.einsum('qhc,qwhc->qwh', asked, seen_keys) + bias).softmax(dim=1)
        return functional.linear((seen_values * shares[..., None]).flatten(1), weight).unflatten(0, (batch, count))

    by_pixel = weight.unflatten(1, (window * heads, dim)).permute(1, 2, 0)  # (window * heads, dim, width)
    parts, order = [], []
    for group in _groups(corner.flatten(), max(1, _NUMBERS_AT_ONCE // (window * heads * weight.shape[0]))):
        rows = group.corner[:, None] + windows.steps
        seen_keys, seen_values = (
            functional.embedding(rows, table).unflatten(2, (heads, dim)) for table in (keys, values)
        )
        shape = (len(rows), group.places)
        there = _spread(asked, group, shape).permute(0, 2, 1, 3)  # (windows, heads, places, dim)
        logits = there @ seen_keys.permute(0, 2, 3, 1) + _spread(bias, group, shape).permute(0, 3, 1, 2)
        shares = logits.softmax(dim=-1).permute(0, 2, 3, 1).flatten(2)  # (windows, places, window * heads)
        answers = torch.bmm(seen_values.flatten(1, 2).transpose(0, 1), by_pixel)  # (window * heads, windows, width)
        parts.append(torch.bmm(shares, answers.transpose(0, 1)).flatten(0, 1)[group.place])
        order.append(group.query)
    return torch.cat(parts)[torch.cat(order).argsort()].unflatten(0, (batch, count))


def _worth_sharing(corner: Int[Tensor, 'batch queries']) -> bool:
    # For gradients, what the layer makes of every window would be kept: eight times what the queries' own inputs take.
    return not torch.is_grad_enabled() and len(corner.unique()) * _WORTHWHILE <= corner.numel()


def _spread(
    values: Float[Tensor, 'all *shape'], group: _Group, shape: tuple[int, int]
) -> Float[Tensor, 'windows places *shape']:
    """Each query's values in its place; places left over hold zeros."""
    spread = values.new_zeros(shape[0] * shape[1], *values.shape[1:])
    return spread.index_copy(0, group.place, values[group.query]).unflatten(0, shape)


def _groups(corner: Int[Tensor, ' queries'], most: int) -> Iterator[_Group]:
    """The queries window by window, at most so many windows at a time."""
    corners, window, counts = corner.unique(return_inverse=True, return_counts=True)
    order = window.argsort(stable=True)
    ends = counts.cumsum(0)
    place = torch.arange(len(corner), device=corner.device) - (ends - counts)[window[order]]
    for first in range(0, len(corners), most):
        last = min(first + most, len(corners))
        span = slice(int(ends[first] - counts[first]), int(ends[last - 1]))
        places = int(counts[first:last].max())
        query = order[span]
        yield _Group(corners[first:last], query, (window[query] - first) * places + place[span], places)
