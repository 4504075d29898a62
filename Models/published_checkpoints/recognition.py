"""Networks recognised by the keys and shapes of their weights, for files that say no more."""

import dataclasses
from collections.abc import Mapping
from math import isqrt
from typing import Any

from Models.DecoderType import DecoderType
from Models.EncoderType import EncoderType
from Models.published_checkpoints.key_maps import (
    KeyMap,
    from_basicsr_edsr,
    from_basicsr_rcan,
    from_liif,
    from_mm_edsr,
    from_mm_rdn,
    from_mm_swinir,
    from_swinir,
)
from Models.published_checkpoints.PublishedNetwork import PublishedNetwork, Shapes, UnknownNetworkError
from Models.published_checkpoints.shapes import below, hidden_of, infer_decoder, infer_encoder, sub_pixel_scale

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)

_RES_SCALE = "The factor on EDSR's residuals is in no file; assumed is that of the paper, {:g} for {} channels."
_ENSEMBLE = "Whether LIIF's local ensemble was on is in no file; assumed is that it was."
_CIAOSR = "CiaoSR's local_size and softmax_scale are in no file; assumed are the published 2 and 1."
_CLIT = "CLIT's activation and highest frequency are in no file; assumed are the published GELU and 2^10 - 1."
_HEADS = "The number of CLIT's heads is in no file without a positional bias; assumed are the published 8."
_MM_NORM = 'The normalization is in no file; assumed is the one of the published configuration: mean {}, deviation {}.'
_BASICSR_RANGE = "The range is in no file; assumed is BasicSR's default, 255, with the mean colors of DIV2K."


def recognise(shapes: Shapes) -> PublishedNetwork:
    """The network that weights under official keys are of.

    Args:
        shapes: of the weights, without `generator.` or `module.` in front.

    Raises:
        UnknownNetworkError: if this framework does not have it.
    """
    if any(key.startswith('encoder.') for key in shapes):
        return _of_liif_family(shapes)
    if any(key.startswith('imnet') for key in shapes):
        return _of_mm(shapes)
    return _of_fixed_scale(shapes)


def _of_liif_family(shapes: Shapes) -> PublishedNetwork:
    of_encoder = below('encoder.', shapes)
    encoder, encoder_options = infer_encoder(of_encoder)
    of_decoder = {key: shape for key, shape in shapes.items() if not key.startswith('encoder.')}
    native = _liif_scale(of_encoder, encoder_options)
    if not of_decoder and native is not None:
        return _native(encoder, encoder_options, native, from_liif, {}, ())
    width = 64 if encoder_options.get('conv_before_upsample') else _width(encoder_options)
    decoder, decoder_options = infer_decoder(of_decoder, width)
    remarks = _remarks(encoder_options) + {DecoderType.LIIF: (_ENSEMBLE,), DecoderType.CLIT: (_CLIT,)}.get(decoder, ())
    if decoder is DecoderType.CLIT and 'head' not in decoder_options:
        remarks = (*remarks, _HEADS)
    patch = 128 if decoder is DecoderType.SRNO else 48
    return PublishedNetwork(encoder, encoder_options, decoder, decoder_options, from_liif, patch, remarks=remarks)


def _of_mm(shapes: Shapes) -> PublishedNetwork:
    of_encoder = {key: shape for key, shape in shapes.items() if not key.startswith(('imnet', 'cs_attn.'))}
    encoder, encoder_options = infer_encoder(of_encoder)
    of_decoder = {key: shape for key, shape in shapes.items() if key not in of_encoder}
    decoder, decoder_options = infer_decoder(of_decoder, _width(encoder_options))
    remarks = _remarks(encoder_options)
    if decoder is DecoderType.CiaoSR:
        remarks = (*remarks, _CIAOSR)
    if decoder is DecoderType.LIIF:
        # mmagic normalizes as LIIF does with RDN, and as EDSR does with EDSR.
        mean, deviation = (DIV2K_MEAN, 1.0) if encoder is EncoderType.EDSR else ((0.5,) * 3, 0.5)
        decoder_options = {**decoder_options, 'image_mean': mean, 'image_std': (deviation,) * 3}
        remarks = (*remarks, _ENSEMBLE, _MM_NORM.format(mean, deviation))
    keys = {EncoderType.EDSR: from_mm_edsr, EncoderType.RDN: from_mm_rdn, EncoderType.SwinIR: from_mm_swinir}
    return PublishedNetwork(encoder, encoder_options, decoder, decoder_options, keys[encoder], remarks=remarks)


def _of_fixed_scale(shapes: Shapes) -> PublishedNetwork:
    encoder, encoder_options = infer_encoder(shapes)
    if 'upsample.0.weight' not in shapes:
        raise UnknownNetworkError(
            f'These are weights of {encoder.name} without an upsampler that this framework has (upsample.0), or of the '
            'encoder alone.'
        )
    if encoder is EncoderType.SwinIR:
        direct = 'conv_last.weight' not in shapes
        scale = isqrt(shapes['upsample.0.weight'][0] // 3) if direct else sub_pixel_scale('upsample', shapes)
        return _native(encoder, encoder_options, scale, from_swinir, _normalization(1.0), ())
    scale = sub_pixel_scale('upsample', shapes)
    keys = from_basicsr_rcan if encoder is EncoderType.RCAN else from_basicsr_edsr
    return _native(encoder, encoder_options, scale, keys, _normalization(1 / 255), (_BASICSR_RANGE,))


def of_study(network: PublishedNetwork) -> PublishedNetwork:
    """The network of a file of INR-ASSR-Emperical-Analysis, which says no more than its keys do."""
    if network.decoder not in (DecoderType.LIIF, DecoderType.CiaoSR, DecoderType.MetaSR):
        return network
    remark = (
        f"The study's {network.decoder.name} scales the cell wrongly, its MetaSR also misplaces the pixels' corners. "
        'If the weights were trained so, pictures differ from what the study reports.'
    )
    return dataclasses.replace(network, remarks=(*network.remarks, remark))


def _native(
    encoder: EncoderType,
    encoder_options: Mapping[str, Any],
    scale: int,
    keys: KeyMap,
    options: Mapping[str, Any],
    remarks: tuple[str, ...],
) -> PublishedNetwork:
    return PublishedNetwork(
        encoder,
        encoder_options,
        DecoderType.Native,
        {'scale': scale, **options},
        keys,
        scale_range=(float(scale), float(scale)),
        remarks=_remarks(encoder_options) + remarks,
    )


def _normalization(deviation: float) -> dict[str, Any]:
    return {'image_mean': DIV2K_MEAN, 'image_std': (deviation,) * 3}


def _liif_scale(of_encoder: Shapes, encoder_options: Mapping[str, Any]) -> int | None:
    """Scale of the upsampler of an encoder of LIIF's; None if it has none."""
    if 'tail.0.0.weight' in of_encoder:
        return sub_pixel_scale('tail.0', of_encoder)
    if 'UPNet.0.weight' not in of_encoder:
        return None
    scale = 1
    for channels in hidden_of('UPNet', of_encoder):
        scale *= isqrt(channels // encoder_options['G'])
    return scale


def _width(encoder_options: Mapping[str, Any]) -> int:
    return next(encoder_options[name] for name in ('n_feats', 'G0', 'embed_dim') if name in encoder_options)


def _remarks(encoder_options: Mapping[str, Any]) -> tuple[str, ...]:
    if 'res_scale' not in encoder_options:
        return ()
    return (_RES_SCALE.format(encoder_options['res_scale'], encoder_options['n_feats']),)
