"""Published algorithms written plainly, with a library's own lookups: slow, and independent of our code.

Features are unfolded, each corner of the local ensemble is looked up by `grid_sample` and goes through the whole MLP by
itself, and activations are kept as they come. What the published networks compute once per image is computed once here
too. The weights are those of one of our decoders, by their published names, so that both can be compared.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from Orchestrators.benchmark import naive_attention
from Orchestrators.benchmark.naive_lookups import (
    Answer,
    area_of,
    bilinear,
    blend,
    cell_on,
    centers,
    corners,
    inside,
    look_up,
    per_query,
    relative_to,
    size_of,
    swapped,
    unfolded,
)

QUERIES_PER_CHUNK = 30_000
"""As the published evaluations take them."""

# CLIT looks up 49 x 256 numbers for each query, of which 30 000 queries' do not fit most machines.
_CLIT_QUERIES_PER_CHUNK = 4_000


def query(decoder: Any, features: Tensor, lr: Tensor, coord: Tensor, cell: Tensor) -> Tensor:
    """What `prepare`, `aim` and `query` of the decoder give.

    features (B, C, h, w), lr (B, 3, h, w), coord (B, Q, 2), cell (B, 2) -> (B, Q, 3)
    """
    return _ALGORITHMS[type(decoder).__name__](decoder, features, lr, cell)(coord)


def query_in_chunks(decoder: Any, features: Tensor, lr: Tensor, coord: Tensor, cell: Tensor) -> Iterator[Tensor]:
    """The same as published evaluations ask for it, piece by piece; attention over all queries takes them whole."""
    answer = _ALGORITHMS[type(decoder).__name__](decoder, features, lr, cell)
    sizes = {'SRNO': coord.shape[1], 'HIIF': coord.shape[1], 'CLIT': _CLIT_QUERIES_PER_CHUNK}
    for piece in coord.split(sizes.get(type(decoder).__name__, QUERIES_PER_CHUNK), dim=1):
        yield answer(piece)


def naive_liif(
    imnet: nn.Module, features: Tensor, coord: Tensor, cell: Tensor, *, ensemble: bool, unfold: bool, cell_decode: bool
) -> Tensor:
    """LIIF (Chen et al., CVPR 2021): unfold, look up each corner with grid_sample, one MLP call per corner.

    features (B, C, h, w), coord (B, Q, 2), cell (B, 2) -> (B, Q, 3)
    """
    if unfold:
        features = unfolded(features)
    predictions, areas = [], []
    for place in corners(coord, features) if ensemble else [inside(coord)]:
        relative = relative_to(coord, place, features)
        parts = [look_up(features, place), relative]
        if cell_decode:
            parts.append(per_query(cell_on(cell, features), coord))
        predictions.append(imnet(torch.cat(parts, dim=-1)))
        areas.append(area_of(relative))
    return blend(predictions, areas)


def _liif(decoder: Any, features: Tensor, _lr: Tensor, cell: Tensor) -> Answer:
    return lambda coord: naive_liif(
        decoder.imnet,
        features,
        coord,
        cell,
        ensemble=decoder.local_ensemble,
        unfold=decoder.feat_unfold,
        cell_decode=decoder.cell_decode,
    )


def _metasr(decoder: Any, features: Tensor, _lr: Tensor, cell: Tensor) -> Answer:
    """Hu et al., CVPR 2019, as in LIIF: a whole filter for each HR pixel, from the corners of HR and LR pixel."""

    def answer(coord: Tensor) -> Tensor:
        neighborhoods = unfolded(features)
        size = size_of(features, coord)
        corner = coord - cell[:, None] / 2
        place = inside(corner + 1e-6)
        lr_corner = look_up(centers(features), place) - 1 / size
        height = per_query(cell[:, :1] * features.shape[2] / 2, coord)
        filters = decoder.imnet(torch.cat([(corner - lr_corner) * size / 2, height], dim=-1))
        filters = filters.view(-1, neighborhoods.shape[1], 3)
        seen = look_up(neighborhoods, place).reshape(-1, 1, neighborhoods.shape[1])
        return torch.bmm(seen, filters).view(*coord.shape[:2], 3)

    return answer


def _lte(decoder: Any, features: Tensor, lr: Tensor, cell: Tensor) -> Answer:
    """Lee and Jin, CVPR 2022: amplitudes, frequencies and a phase for each corner, then the MLP."""
    coef, freq = decoder.coef(features), decoder.freq(features)
    mlp = decoder.layers if decoder.plus else decoder.imnet

    def answer(coord: Tensor) -> Tensor:
        predictions, areas = [], []
        for place in corners(coord, features):
            relative = relative_to(coord, place, features)
            waves = _waves(decoder, look_up(freq, place), relative, cell, features, interleaved=not decoder.plus)
            predictions.append(mlp(look_up(coef, place) * waves))
            areas.append(area_of(relative))
        return blend(predictions, areas) + bilinear(lr, coord)

    return answer


def _linf(decoder: Any, features: Tensor, lr: Tensor, cell: Tensor) -> Answer:
    """Yao et al., CVPR 2023, without patches and at temperature 0: Fourier features condition a flow from 0."""
    coef, freq = decoder.coef(features), decoder.freq(features)

    def answer(coord: Tensor) -> Tensor:
        relatives = [relative_to(coord, place, features) for place in corners(coord, features)]
        weights = swapped([area_of(relative) for relative in relatives])
        seen = []
        for place, relative, weight in zip(corners(coord, features), relatives, weights, strict=True):
            waves = _waves(decoder, look_up(freq, place), relative, cell, features, interleaved=False)
            seen.append(look_up(coef, place) * weight * waves)
        condition = decoder.layers(torch.cat(seen, dim=-1))
        flow = decoder.imnet
        data = _solve(flow.last, torch.zeros_like(condition[..., :3]))
        for index in reversed(range(len(flow.linears))):
            scale = torch.sigmoid(condition[..., 6 * index : 6 * index + 3] + 2) + 1e-4
            shift = condition[..., 6 * index + 3 : 6 * index + 6]
            data = _solve(flow.linears[index], (data - shift) / scale)
        return data + bilinear(lr, coord)

    return answer


def _solve(linear: Any, outputs: Tensor) -> Tensor:
    """The inputs x of x W^T + b."""
    flat = (outputs - linear.bias).flatten(0, -2)
    return torch.linalg.solve(linear._weight, flat.T).T.view_as(outputs)


def _waves(
    decoder: Any, frequencies: Tensor, relative: Tensor, cell: Tensor, features: Tensor, *, interleaved: bool
) -> Tensor:
    """Cosines and sines of frequency times offset plus phase, in half turns."""
    half = frequencies.shape[-1] // 2
    by_axis = [frequencies[..., 0::2], frequencies[..., 1::2]] if interleaved else frequencies.split(half, dim=-1)
    angle = by_axis[0] * relative[..., :1] + by_axis[1] * relative[..., 1:]
    shown = cell_on(cell, features)
    # LTE is given the cell with each coordinate, and so computes the phase for each; LTE+ and LINF once per image.
    angle = angle + decoder.phase(per_query(shown, relative) if interleaved else shown[:, None])
    return torch.cat([torch.cos(math.pi * angle), torch.sin(math.pi * angle)], dim=-1)


_ALGORITHMS: dict[str, Callable[[Any, Tensor, Tensor, Tensor], Answer]] = {
    'LIIF': _liif,
    'MetaSR': _metasr,
    'LTE': _lte,
    'LINF': _linf,
    'SRNO': naive_attention.srno,
    'HIIF': naive_attention.hiif,
    'CiaoSR': naive_attention.ciaosr,
    'CLIT': naive_attention.clit,
}
