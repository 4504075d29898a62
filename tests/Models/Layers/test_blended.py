"""Each fast form is the same function as the plain form that stands beside it, with the same gradients."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from Models import DecoderType, EncoderType
from Models.Decoders.Queries import GridQueries, Queries, View, gather_pixels
from Models.Layers.blended_lookup import blended_linear, cut_to_reach
from tests.decoding import aimed
from tests.tiny_networks import tiny
from Utilities.coordinates import cell_of, pixel_centers

TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}
CASES = [
    ('LIIF', {}),
    ('LIIF', {'local_ensemble': False}),
    ('LIIF', {'feat_unfold': False, 'cell_decode': False}),
    ('LTE', {}),
    ('LTE', {'plus': True}),
]


@pytest.mark.parametrize('dtype', TOLERANCE, ids=str)
@pytest.mark.parametrize(('name', 'options'), CASES, ids=str)
def test_pieces_equal_the_plain_form(
    name: str, options: dict[str, Any], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch, random: torch.Generator
) -> None:
    """With and without gradients, of a grid and of scattered coordinates; pieces are of 16 coordinates here."""
    monkeypatch.setattr('Models.Layers.blended_mlp._NUMBERS_PER_PIECE', 2**10)
    decoder = tiny(EncoderType.EDSR, DecoderType[name], **options).to(dtype).decoder
    features, lr = (torch.randn(2, dim, 5, 6, generator=random, dtype=dtype) for dim in (8, 3))
    cell = cell_of((11, 15), batch=2, dtype=dtype)
    grid = GridQueries(pixel_centers(11, dtype=dtype), pixel_centers(15, dtype=dtype), 2)
    goal = torch.randn(2, len(grid), 3, generator=random, dtype=dtype)

    def answers() -> list[Tensor]:
        with torch.no_grad():
            ready = aimed(decoder, features, lr, cell)
            found = [decoder.query(ready, grid), decoder.query(ready, Queries(grid.coord))]
        wanted = [features.clone().requires_grad_(), *decoder.parameters()]
        colors = decoder.query(aimed(decoder, wanted[0], lr, cell), Queries(grid.coord))
        return [*found, colors, *torch.autograd.grad((colors * goal).mean(), wanted)]

    pieces = answers()
    monkeypatch.setattr(f'Models.Decoders.{name}.can_blend', lambda *_: False)
    for found, expected in zip(pieces, answers(), strict=True):
        assert expected.abs().max() > 0
        torch.testing.assert_close(found, expected, atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize('side', [3, 40])
def test_a_layer_of_lookups_equals_the_plain_form(side: int, random: torch.Generator) -> None:
    """With fewer LR pixels than queries, which go through the layer first, and with more; gradients too."""
    table = torch.randn(2, side**2, 5, generator=random, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(7, 4 * 5, generator=random, dtype=torch.float64, requires_grad=True)
    coord = (torch.rand(2, 100, 2, generator=random, dtype=torch.float64) * 2 - 1) / 2
    neighbors = Queries(coord).neighbors(View((side, side), coord[:, 0]), local_ensemble=True)
    cut, pixel = cut_to_reach(table, neighbors.pixel)
    found = blended_linear(cut, pixel, neighbors.weight, weight)
    vectors = gather_pixels(table, neighbors.pixel) * neighbors.weight[..., None]
    expected = functional.linear(torch.cat([*vectors], dim=-1), weight)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    for mine, theirs in zip(
        torch.autograd.grad(found.square().sum(), (table, weight)),
        torch.autograd.grad(expected.square().sum(), (table, weight)),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-9, rtol=0)
