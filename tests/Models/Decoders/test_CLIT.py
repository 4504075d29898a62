from typing import Any

import pytest
import torch

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from Models.Decoders.CLIT import CLIT

TINY = {'base_dim': 8, 'head': 2, 'r': 1, 'hidden': (16,), 'enc_dims': 8}


def test_stages_grow_by_four_as_far_as_the_picture_is_larger() -> None:
    decoder = CLIT(4, **TINY)
    assert decoder.stage_sizes((10, 12), (20, 24)) == ((10, 12),)
    assert decoder.stage_sizes((10, 12), (40, 48)) == ((10, 12),)
    assert decoder.stage_sizes((10, 12), (120, 144)) == ((10, 12), (40, 48))
    assert decoder.stage_sizes((10, 12), (300, 360)) == ((10, 12), (40, 48), (160, 192))
    assert decoder.stage_sizes((10, 12), (1000, 1200)) == ((10, 12), (40, 48), (160, 192))
    assert decoder.stage_sizes((10, 12), (120, 24)) == ((10, 12), (40, 24))


@pytest.mark.parametrize('size', [(12, 14), (31, 37), (102, 119), (5, 7), (30, 8)])
def test_chunked_query_equals_whole(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = build_super_resolver(EncoderType.EDSR, DecoderType.CLIT, {'n_resblocks': 1, 'n_feats': 8}, TINY)
    lr = torch.rand(2, 3, 6, 7)
    whole = model.upscale(lr, size, queries_per_chunk=10**6)
    assert whole.shape == (2, 3, *size)
    for chunk in (size[1], 100):
        torch.testing.assert_close(model.upscale(lr, size, queries_per_chunk=chunk), whole, atol=2e-6, rtol=0)


def test_pieces_within_a_query_do_not_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    decoder = CLIT(4, **TINY).double()
    context = decoder.prepare(*(torch.randn(2, n, 5, 6, dtype=torch.float64) for n in (4, 3)))
    coord, cell = torch.rand(2, 50, 2, dtype=torch.float64) * 2 - 1, torch.full((2, 2), 0.05, dtype=torch.float64)
    whole = decoder.query(context, coord, cell)
    monkeypatch.setattr('Models.Decoders.CLIT._NUMBERS_AT_ONCE', 7 * 2 * 72)
    torch.testing.assert_close(decoder.query(context, coord, cell), whole, atol=1e-10, rtol=0)


def test_images_of_different_scales_in_a_batch_are_as_if_alone() -> None:
    torch.manual_seed(0)
    decoder = CLIT(4, **TINY).double()
    features, lr = (torch.randn(4, n, 5, 6, dtype=torch.float64) for n in (4, 3))
    coord = torch.rand(4, 20, 2, dtype=torch.float64) * 2 - 1
    cell = torch.tensor([[2 / (5 * s), 2 / (6 * s)] for s in (20, 2, 10, 3)], dtype=torch.float64)
    together = decoder.query(decoder.prepare(features, lr), coord, cell)
    for i in range(4):
        context = decoder.prepare(features[i : i + 1], lr[i : i + 1])
        alone = decoder.query(context, coord[i : i + 1], cell[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-10, rtol=0)


@pytest.mark.parametrize('is_cell', [True, False])
def test_gradient_reaches_every_parameter(is_cell: bool) -> None:
    """At a scale where all stages take part. The positional bias' constant changes no softmax: rounding alone."""
    torch.manual_seed(0)
    decoder = CLIT(4, **TINY, is_cell=is_cell)
    context = decoder.prepare(torch.randn(1, 4, 4, 5), torch.rand(1, 3, 4, 5))
    decoder.query(context, torch.rand(1, 50, 2) * 2 - 1, torch.full((1, 2), 2 / 100)).square().sum().backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any() or name == 'pb_encoder.proj.bias', name


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'stages': 0}, 'stages must be at least 1'),
        ({'r': -1}, 'r at least 0'),
        ({'hidden': ()}, 'at least one layer'),
        ({'act': 'sine'}, "act must be one of .*'gelu', 'relu'.*, got 'sine'"),
        ({'scale_per_stage': 1.0}, 'scale_per_stage must be above 1'),
        ({'head': 3}, 'base_dim must be a multiple of head, got 256 and 3'),
        ({'enc_dims': 6}, 'enc_dims must be a positive multiple of 4, got 6'),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CLIT(4, **options)


def test_more_sizes_than_stages_are_refused() -> None:
    decoder = CLIT(4, **TINY, stages=1)
    with pytest.raises(ValueError, match='There are 1 stages'):
        decoder.stage_maps(torch.rand(1, 8, 3, 3), [(3, 3), (6, 6)])
