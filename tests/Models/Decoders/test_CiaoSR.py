from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from Models.Decoders.CiaoSR import CiaoSR
from tests.decoding import colors_of

FLOAT = torch.float64


OPTIONS = [
    {},
    {'local_size': 1},
    {'local_size': 3, 'softmax_scale': 2.5},
    {'feat_unfold': False},
    {'non_local_attn': False},
    {'feat_unfold': False, 'non_local_attn': False, 'local_size': 3},
    {'multi_scale': (2, 4)},
    {'multi_scale': (3,)},
]


def plain_ciaosr(decoder: CiaoSR, features: Tensor, lr: Tensor, coord: Tensor, cell: Tensor) -> Tensor:
    """Everything per query, lookups by `grid_sample`."""
    height, width = features.shape[2:]
    keys = functional.unfold(features, 3, padding=1).unflatten(2, (height, width)) if decoder.feat_unfold else features
    found = [] if decoder.cs_attn is None else [decoder.cs_attn(features)]
    values = torch.cat([keys, *found], dim=1)
    rows, columns = ((torch.arange(n, dtype=FLOAT) * 2 + 1) / n - 1 for n in (height, width))
    centers = torch.stack(torch.meshgrid(rows, columns, indexing='ij')).expand(lr.shape[0], -1, -1, -1)

    def look_up(table: Tensor, at: Tensor, mode: str = 'nearest') -> Tensor:
        sampled = functional.grid_sample(table, at.flip(-1)[:, None], mode, 'border', align_corners=False)
        return sampled[:, :, 0].transpose(1, 2)

    query = look_up(keys, coord)
    logits, weighted = [], []
    steps = {1: [0], 2: [-1, 1], 3: [-1, 0, 1]}[decoder.local_size]
    for i in steps:
        for j in steps:
            at = coord.clone()
            at[..., 0] += i * (1 - cell[:, None, 0]) / (height - 1) + (1e-6 if i else 0)
            at[..., 1] += j * (1 - cell[:, None, 1]) / (width - 1) + (1e-6 if j else 0)
            at = at.clamp(-1 + 1e-6, 1 - 1e-6)
            lr_size = torch.tensor([height, width], dtype=FLOAT)
            offset = (coord - look_up(centers, at)) * lr_size
            place = torch.cat([offset, (cell * lr_size)[:, None].expand_as(offset)], dim=-1)
            key, value = look_up(keys, at), look_up(values, at)
            logits.append((query * key * decoder.imnet_k(torch.cat([key, place], dim=-1))).sum(dim=-1))
            weighted.append(value * decoder.imnet_v(torch.cat([value, place], dim=-1)))
    attention = torch.stack(logits, dim=-1).div(decoder.softmax_scale).softmax(dim=-1)
    seen = (torch.stack(weighted, dim=-1) * attention[:, :, None]).sum(dim=-1)
    return decoder.imnet_q(seen) + look_up(lr, coord, 'bilinear')


@pytest.mark.parametrize('options', OPTIONS)
def test_every_switch_equals_the_plain_algorithm(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    decoder = CiaoSR(4, (16,), (8, 16), (16, 8), **options).double()
    features, lr = torch.randn(2, 4, 6, 7, dtype=FLOAT), torch.rand(2, 3, 6, 7, dtype=FLOAT)
    coord, cell = torch.rand(2, 200, 2, dtype=FLOAT) * 2 - 1, torch.rand(2, 2, dtype=FLOAT)
    with torch.inference_mode():
        ours = colors_of(decoder, features, lr, coord, cell)
        plain = plain_ciaosr(decoder, features, lr, coord, cell)
    torch.testing.assert_close(ours, plain, atol=1e-12, rtol=0)


def test_pieces_within_a_query_do_not_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    decoder = CiaoSR(4, (16,), (16,), (16,)).double()
    images = torch.randn(2, 4, 5, 6, dtype=FLOAT), torch.rand(2, 3, 5, 6, dtype=FLOAT)
    coord, cell = torch.rand(2, 50, 2, dtype=FLOAT) * 2 - 1, torch.full((2, 2), 0.05, dtype=FLOAT)
    whole = colors_of(decoder, *images, coord, cell)
    monkeypatch.setattr('Models.Decoders.CiaoSR._NUMBERS_AT_ONCE', 7 * 2 * 4 * 40)
    torch.testing.assert_close(colors_of(decoder, *images, coord, cell), whole, atol=1e-12, rtol=0)


def test_an_image_of_one_pixel_is_taken() -> None:
    decoder = CiaoSR(4, (16,), (16,), (16,))
    images = torch.randn(1, 4, 1, 1), torch.rand(1, 3, 1, 1)
    assert colors_of(decoder, *images, torch.rand(1, 5, 2), torch.tensor([[2.0, 0.5]])).isfinite().all()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'local_size': 4}, 'local_size must be 1, 2 or 3, got 4'),
        ({'softmax_scale': 0.0}, 'softmax_scale must be positive'),
        ({'hidden_k': ()}, 'must each name at least one layer'),
        ({'multi_scale': (8,)}, 'scales must be one or more'),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CiaoSR(4, **options)
