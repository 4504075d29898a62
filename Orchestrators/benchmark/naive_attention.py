"""The plain forms of the networks with attention: SRNO, HIIF, CiaoSR, CLIT; see `Orchestrators/benchmark/naive.py`."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from Orchestrators.benchmark.naive_lookups import (
    Answer,
    area_of,
    bilinear,
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


def srno(decoder: Any, features: Tensor, lr: Tensor, cell: Tensor) -> Answer:
    """Wei and Zhang, CVPR 2023: offsets, weighted features and cell, lifted to tokens; two attention layers."""

    def answer(coord: Tensor) -> Tensor:
        places = list(corners(coord, features))
        relatives = [relative_to(coord, place, features) for place in places]
        weights = swapped([area_of(relative) for relative in relatives])
        seen = [look_up(features, place) * weight for place, weight in zip(places, weights, strict=True)]
        cells = per_query(cell_on(cell, features), coord)
        tokens = decoder.conv00(torch.cat([*relatives, *seen, cells], dim=-1))
        for layer in (decoder.conv0, decoder.conv1):
            norms = [(norm.weight, norm.bias) for norm in (layer.kln, layer.vln)]
            mixed = _galerkin(layer, tokens, [_unbiased_norm(*norm) for norm in norms])
            tokens = layer.o_proj2(functional.gelu(layer.o_proj1(mixed))) + tokens
        return decoder.fc2(functional.gelu(decoder.fc1(tokens))) + bilinear(lr, coord)

    return answer


def hiif(decoder: Any, features: Tensor, lr: Tensor, cell: Tensor) -> Answer:
    """Jiang et al., CVPR 2025: as SRNO, but the place is told bit by bit, and with more layers."""
    features = decoder.freq(features)

    def answer(coord: Tensor) -> Tensor:
        places = list(corners(coord, features))
        relatives = [relative_to(coord, place, features) / 2 for place in places]
        weights = swapped([area_of(relative) for relative in relatives])
        seen = [look_up(features, place) * weight for place, weight in zip(places, weights, strict=True)]
        inside = torch.where(relatives[0] > 0, relatives[0], 1 / size_of(features, coord) - relatives[0])
        bits = [((inside - 1e-9).clamp(0, 1) * 2 ** (level + 1)).floor() % 2 for level in range(6)]
        cells = per_query(cell_on(cell, features), coord)
        tokens = decoder.fc_layers[0](torch.cat([*seen, cells, bits[0]], dim=-1))
        for layer in (decoder.conv0, decoder.conv1):
            mixed = _galerkin(layer, tokens, [layer.kln, layer.vln])
            tokens = layer.proj2(functional.gelu(layer.proj1(mixed))) + tokens
        for level in range(1, 6):
            tokens = decoder.fc_layers[level](torch.cat([tokens, bits[level]], dim=-1))
        return tokens + bilinear(lr, coord)

    return answer


def _galerkin(layer: Any, tokens: Tensor, norms: list[Callable[[Tensor], Tensor]]) -> Tensor:
    """Attention without softmax (Cao, NeurIPS 2021), and the tokens."""
    batch, count, width = tokens.shape
    heads = layer.qkv_proj(tokens).view(batch, count, layer.heads, -1).transpose(1, 2)
    queries, keys, values = heads.chunk(3, dim=-1)
    keys, values = norms[0](keys), norms[1](values)
    attended = queries @ (keys.transpose(-1, -2) @ values) / count
    return attended.transpose(1, 2).reshape(batch, count, width) + tokens


def _unbiased_norm(weight: Tensor, bias: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: weight * (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-5) + bias


def ciaosr(decoder: Any, features: Tensor, lr: Tensor, cell: Tensor) -> Answer:
    """Cao et al., CVPR 2023: keys and values weighed by MLPs, attention over the corners, an MLP to the color."""
    keys = unfolded(features) if decoder.feat_unfold else features
    values = keys
    if decoder.cs_attn is not None:
        values = torch.cat([keys, *(_cross_scale(decoder.cs_attn, features, s) for s in decoder.cs_attn.scales)], dim=1)

    def answer(coord: Tensor) -> Tensor:
        asked = look_up(keys, coord)
        cells = per_query(cell_on(cell, features), coord)
        logits, found = [], []
        for place in _ciaosr_places(decoder, coord, cell, features):
            seen = [relative_to(coord, place, features), cells]
            key, value = look_up(keys, place), look_up(values, place)
            key = key * decoder.imnet_k(torch.cat([key, *seen], dim=-1))
            found.append(value * decoder.imnet_v(torch.cat([value, *seen], dim=-1)))
            logits.append((asked * key).sum(-1) / decoder.softmax_scale)
        shares = torch.stack(logits).softmax(dim=0)
        total = (torch.stack(found) * shares[..., None]).sum(dim=0)
        return decoder.imnet_q(total) + bilinear(lr, coord)

    return answer


def _ciaosr_places(decoder: Any, coord: Tensor, cell: Tensor, features: Tensor) -> Iterator[Tensor]:
    steps = {1: (0,), 2: (-1, 1), 3: (-1, 0, 1)}[decoder.local_size]
    gap = (1 - cell) / (size_of(features, coord) - 1).clamp(min=1)
    for step in torch.cartesian_prod(coord.new_tensor(steps), coord.new_tensor(steps)).view(-1, 2):
        yield inside(coord + (step * gap)[:, None] + 1e-6 * (step != 0))


def _cross_scale(attention: Any, features: Tensor, scale: int) -> Tensor:
    """Mei et al., CVPR 2020: correlate with the normalized patches of a smaller copy, paste the larger ones."""
    height, width = features.shape[2:]
    padded = functional.pad(features, (0, -width % scale, 0, -height % scale), mode='reflect')
    reduced = functional.interpolate(padded, scale_factor=1 / scale, mode='bilinear', align_corners=False)
    colors, wanted = attention.conv_assembly(padded), attention.conv_match_1(padded)
    offered = attention.conv_match_2(reduced)
    results = []
    for own_colors, own_wanted, own_offered in zip(colors, wanted, offered, strict=True):
        patches = _same_patches(own_offered, 3, 1)
        patches = patches / patches.flatten(1).norm(dim=1).clamp(min=1e-4)[:, None, None, None]
        scores = functional.conv2d(own_wanted[None], patches, padding=1)
        shares = (scores * 10).softmax(dim=1)
        pasted = _same_patches(own_colors, 3 * scale, scale)
        results.append(functional.conv_transpose2d(shares, pasted, stride=scale, padding=scale))
    down = attention.get_submodule(attention.DOWN[scale])
    return (down(torch.cat(results)) / 6)[:, :, :height, :width]


def _same_patches(image: Tensor, kernel: int, stride: int) -> Tensor:
    """(C, h, w) -> (patches, C, kernel, kernel)"""
    needed = [max(0, (math.ceil(n / stride) - 1) * stride + kernel - n) for n in image.shape[1:]]
    sides = (needed[1] // 2, needed[1] - needed[1] // 2, needed[0] // 2, needed[0] - needed[0] // 2)
    patches = functional.unfold(functional.pad(image, sides)[None], kernel, stride=stride)[0]
    return patches.T.reshape(-1, image.shape[0], kernel, kernel)


def clit(decoder: Any, features: Tensor, lr: Tensor, cell: Tensor) -> Answer:
    """Chen et al., CVPR 2023: attention over a window, whose weighted values all go into the MLP, stage by stage."""
    initial = decoder.conv_ch(features)
    asked_size = [round(2 / float(side)) for side in cell[0]]
    maps = []
    for stage, size in enumerate(decoder.stage_sizes((lr.shape[2], lr.shape[3]), (asked_size[0], asked_size[1]))):
        resampled = initial
        if stage > 0:
            grid = centers(initial.new_empty(1, 1, *size)).permute(0, 2, 3, 1).flip(-1).expand(len(lr), -1, -1, -1)
            resampled = functional.grid_sample(initial, grid, align_corners=False)
        maps.append([convs[stage](resampled) for convs in (decoder.conv_qs, decoder.conv_ks, decoder.conv_vs)])

    def answer(coord: Tensor) -> Tensor:
        prediction = torch.zeros_like(coord[..., :1])
        for imnet, of_stage in zip(decoder.imnets, maps, strict=False):
            prediction = _clit_stage(decoder, imnet, of_stage, coord, cell) + 0.75 * prediction
        return prediction + bilinear(lr, coord)

    return answer


def _clit_stage(decoder: Any, imnet: nn.Module, maps: list[Tensor], coord: Tensor, cell: Tensor) -> Tensor:
    queries, keys, values = maps
    batch, count = coord.shape[:2]
    size, r, heads = size_of(keys, coord), decoder.r, decoder.head
    reach = torch.arange(-r, r + 1, device=coord.device, dtype=coord.dtype)
    steps = torch.cartesian_prod(reach, reach).view(-1, 2) * (2 / size)
    window = look_up(centers(keys), coord)[:, :, None] + steps  # (B, Q, window, 2)
    relative = (coord[:, :, None] - window) * size
    waves = (relative[..., None] * decoder.pb_encoder.frequencies).flatten(3)
    bias = decoder.pb_encoder.proj(torch.cat([waves.sin(), waves.cos()], dim=-1))
    keys, values = (
        functional.grid_sample(table, window.flip(-1), mode='nearest', align_corners=False).permute(0, 2, 3, 1)
        for table in (keys, values)
    )
    asked = functional.grid_sample(queries, coord.flip(-1)[:, None], align_corners=False)[:, :, 0].transpose(1, 2)
    products = (asked[:, :, None] * keys).view(batch, count, len(steps), heads, -1).sum(-1)
    shares = (products * heads**0.5 / keys.shape[-1] ** 0.5 + bias).softmax(dim=2)
    seen = (values.reshape(batch, count, len(steps), heads, -1) * shares[..., None]).flatten(2)
    if decoder.is_cell:
        seen = torch.cat([seen, per_query(cell_on(cell, maps[1]), coord)], dim=-1)
    return imnet(seen)
