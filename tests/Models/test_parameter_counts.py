"""Networks have as many parameters as published."""

from typing import Any

import pytest
import torch

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from tests.reference_files import official_configurations

MEAN_SHIFT = 24
"""Numbers of the mean shift that yinboc/liif's EDSR and RCAN store and never apply."""

LARGE = {'n_resblocks': 32, 'n_feats': 256, 'res_scale': 0.1}
ALL_FEATURES = {'conv_before_upsample': False}

ENCODERS = [
    (EncoderType.EDSR, {}, 1.220, 'edsr-baseline-encoder', MEAN_SHIFT),
    (EncoderType.EDSR, LARGE, 38.362, 'edsr-encoder', MEAN_SHIFT),
    (EncoderType.RDN, {}, 21.974, 'rdn-encoder', 0),
    (EncoderType.RCAN, {}, 15.295, 'rcan-encoder', MEAN_SHIFT),
    (EncoderType.SwinIR, {}, 11.603, 'swinir-encoder-lte', 0),
]
"""Options, millions as published, and the official network that has as many, but for so many numbers without effect."""

DECODERS = [
    (DecoderType.MetaSR, {}, 0.445, 'edsr-baseline-metasr'),
    (DecoderType.LIIF, {}, 0.347, 'edsr-baseline-liif'),
    (DecoderType.LTE, {}, 0.494, 'edsr-baseline-lte'),
    (DecoderType.LTE, {'plus': True}, 0.494, 'edsr-baseline-lte-fast'),
    (DecoderType.SRNO, {}, 0.795, 'edsr-baseline-srno'),
    (DecoderType.LINF, {}, 0.705, 'edsr-baseline-linf'),
    (DecoderType.HIIF, {}, 1.735, 'hiif-edsr (INR-ASSR port)'),
    (DecoderType.CiaoSR, {}, 1.429, 'ciaosr-edsr'),
    (DecoderType.CiaoSR, {'multi_scale': (4,)}, 1.466, None),
    (DecoderType.CLIT, {'stages': 1}, 5.329, 'edsr-baseline-clit1'),
    (DecoderType.CLIT, {}, 15.689, 'edsr-baseline-clit3'),
]
"""Options, millions (NUMBERS.md 3; CLIT's follow from the official configurations), and the official network of it
with EDSR-baseline; None: the number is that of the study's network, of which there is no list."""


def parameters(encoder: EncoderType, decoder: DecoderType, *options: dict[str, Any]) -> tuple[int, int]:
    """Of encoder and decoder, built without memory."""
    with torch.device('meta'):
        model = build_super_resolver(encoder, decoder, *options)
    of_encoder, of_decoder = (
        sum(parameter.numel() for parameter in part.parameters()) for part in (model.encoder, model.decoder)
    )
    return of_encoder, of_decoder


@pytest.mark.parametrize(('encoder', 'options', 'millions', 'official', 'without_effect'), ENCODERS)
def test_encoders_are_as_large_as_published(
    encoder: EncoderType, options: dict[str, Any], millions: float, official: str, without_effect: int
) -> None:
    found, _ = parameters(encoder, DecoderType.MetaSR, options)
    assert round(found / 1e6, 3) == millions
    assert found == official_configurations()[official]['n_params'] - without_effect


@pytest.mark.parametrize(('decoder', 'options', 'millions', 'official'), DECODERS)
def test_decoders_are_as_large_as_published(
    decoder: DecoderType, options: dict[str, Any], millions: float, official: str | None
) -> None:
    of_encoder, found = parameters(EncoderType.EDSR, decoder, {}, options)
    assert round(found / 1e6, 3) == millions
    if official is not None:
        shift = 0 if official == 'ciaosr-edsr' else MEAN_SHIFT
        assert of_encoder + found == official_configurations()[official]['n_params'] - shift


def test_swinir_without_its_last_convolution_is_smaller_by_that() -> None:
    """As CiaoSR has it: 180 features instead of 64."""
    with_it, _ = parameters(EncoderType.SwinIR, DecoderType.MetaSR)
    without_it, _ = parameters(EncoderType.SwinIR, DecoderType.MetaSR, ALL_FEATURES)
    assert with_it - without_it == 180 * 64 * 9 + 64
