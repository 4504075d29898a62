"""Each fast form is the same function as the plain form that stands beside it, with the same gradients."""

from typing import Any

import pytest
import torch
from torch import Tensor

from Models import DecoderType, EncoderType
from Models.Decoders.Queries import GridQueries, Queries
from tests.decoding import aimed, colors_of
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


@pytest.mark.parametrize('name', ['SRNO', 'HIIF'])
@pytest.mark.parametrize('size', [(3, 4), (40, 30)])
def test_shared_first_layers_equal_the_plain_form(
    name: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch, random: torch.Generator
) -> None:
    """With fewer LR pixels than queries, which go through the layer first, and with more."""
    decoder = tiny(EncoderType.EDSR, DecoderType[name]).double().decoder
    for parameter in decoder.parameters():
        parameter.data.normal_(std=0.5, generator=random)
    features, lr = (torch.randn(2, dim, *size, generator=random, dtype=torch.float64) for dim in (8, 3))
    coord = (torch.rand(2, 100, 2, generator=random, dtype=torch.float64) * 2 - 1) / 2

    def answers() -> list[Tensor]:
        wanted = [features.clone().requires_grad_(), *decoder.parameters()]
        colors = colors_of(decoder, wanted[0], lr, coord, cell_of((11, 15), batch=2, dtype=torch.float64))
        return [colors, *torch.autograd.grad(colors.square().mean(), wanted)]

    shared = answers()
    monkeypatch.setattr(f'Models.Decoders.{name}.can_share', lambda: False)
    for found, expected in zip(shared, answers(), strict=True):
        assert expected.abs().max() > 0
        # Of HIIF the share of a neighbor rounds otherwise in the variance.
        torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)
