"""The cell at scales beyond the trained ones: LTE's rule, as an option of every decoder."""

import pytest
import torch

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from tests.decoding import colors_of
from tests.tiny_networks import DECODERS, tiny
from Utilities.coordinates import cell_of, coordinates_of, pixel_centers

PUBLISHED = {'LTE': 4.0, 'HIIF': 4.0, 'LINF': 30.0}
"""Of the others none; CLIT has the line commented out, SRNO has it behind a flag."""

LIMITABLE = [decoder for decoder in DecoderType if decoder is not DecoderType.Native]


@pytest.mark.parametrize('decoder', list(DecoderType))
def test_the_default_is_the_originals(decoder: DecoderType) -> None:
    found = tiny(EncoderType.EDSR, decoder).decoder
    limit = getattr(found, '_scale_max', None) or found.cell_scale_max
    assert limit == PUBLISHED.get(decoder.name)


@torch.inference_mode()
@pytest.mark.parametrize('decoder', LIMITABLE)
def test_beyond_the_limit_the_cell_is_that_of_the_limit(decoder: DecoderType, random: torch.Generator) -> None:
    """A picture at x6 and x9 with the limit 3 is queried with the cell of x3; at x2 the limit changes nothing.

    The tiny CLIT has the same stages from x1.5 on.
    """
    lr = torch.rand(1, 3, 6, 7, generator=random)
    limited = tiny(EncoderType.EDSR, decoder, cell_scale_max=3)
    free = tiny(EncoderType.EDSR, decoder, cell_scale_max=None)
    torch.testing.assert_close(limited.upscale(lr, (12, 14)), free.upscale(lr, (12, 14)))

    size = (36, 63)
    normalized = (lr - free.mean[:, None, None]) / free.std[:, None, None]
    coord = coordinates_of(pixel_centers(size[0]), pixel_centers(size[1]))[None]
    colors = colors_of(free.decoder, free.encoder(normalized), normalized, coord, cell_of((18, 21)))
    by_hand = (colors * free.std + free.mean).clamp(0, 1).transpose(1, 2).reshape(1, 3, *size)
    torch.testing.assert_close(limited.upscale(lr, size), by_hand, atol=1e-5, rtol=0)


@pytest.mark.parametrize('decoder', LIMITABLE)
def test_a_limit_must_be_positive(decoder: DecoderType) -> None:
    options = DECODERS[decoder.name] | {'cell_scale_max': 0}
    with pytest.raises(ValueError, match='cell_scale_max must be a positive scale or None, got 0'):
        build_super_resolver(EncoderType.EDSR, decoder, {'n_feats': 8}, options)


def test_a_network_of_one_scale_has_no_limit() -> None:
    with pytest.raises(ValueError, match='cell_scale_max is no option of Native'):
        tiny(EncoderType.EDSR, DecoderType.Native, cell_scale_max=4)
