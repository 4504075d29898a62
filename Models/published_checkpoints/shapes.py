"""From the shapes of weights to the networks that have them, for files that carry no specification."""

import re
from collections.abc import Iterable
from math import isqrt
from typing import Any

from Models.DecoderType import DecoderType
from Models.EncoderType import EncoderType
from Models.published_checkpoints.PublishedNetwork import Shapes, UnknownNetworkError

Options = dict[str, Any]


def below(prefix: str, shapes: Shapes) -> Shapes:
    """The entries below a prefix, without it."""
    return {key.removeprefix(prefix): shape for key, shape in shapes.items() if key.startswith(prefix)}


def infer_encoder(shapes: Shapes) -> tuple[EncoderType, Options]:
    """An encoder by its keys: ours and LIIF's, mmagic's and BasicSR's alike.

    Args:
        shapes: of the encoder alone, without a prefix.

    Raises:
        UnknownNetworkError: if the keys are no known encoder's.
    """
    if 'patch_embed.norm.weight' in shapes:
        return EncoderType.SwinIR, infer_swinir(shapes)
    if 'SFENet1.weight' in shapes or 'sfe1.weight' in shapes:
        return EncoderType.RDN, infer_rdn(shapes)
    if any('conv_du' in key or 'rcab' in key for key in shapes):
        return EncoderType.RCAN, infer_rcan(shapes)
    if 'body.0.body.0.weight' in shapes or 'body.0.conv1.weight' in shapes:
        return EncoderType.EDSR, infer_edsr(shapes)
    raise UnknownNetworkError(f'These are no weights of a known encoder: {_first(shapes)}.')


def infer_edsr(shapes: Shapes) -> Options:
    """EDSR; the factor on its residuals is in no weight, so that of the paper: 0.1 for the large network."""
    first = shapes['head.0.weight'] if 'head.0.weight' in shapes else shapes['conv_first.weight']
    blocks = count(r'body\.(\d+)\.(?:body\.0|conv1)\.weight', shapes)
    return {'n_resblocks': blocks, 'n_feats': first[0], 'res_scale': 0.1 if first[0] >= 256 else 1.0}


def infer_rcan(shapes: Shapes) -> Options:
    """RCAN of LIIF or BasicSR."""
    block = r'body\.(\d+)\.(?:body|residual_group)\.'
    squeeze = next(shape for key, shape in shapes.items() if re.search(r'(?:conv_du\.0|attention\.1)\.weight$', key))
    return {
        'n_resgroups': count(rf'{block}0\.(?:body|rcab)\.0\.weight', shapes),
        'n_resblocks': count(r'body\.0\.(?:body|residual_group)\.(\d+)\.(?:body|rcab)\.0\.weight', shapes),
        'n_feats': squeeze[1],
        'reduction': squeeze[1] // squeeze[0],
    }


def infer_rdn(shapes: Shapes) -> Options:
    """RDN of LIIF or mmagic."""
    first = shapes['SFENet1.weight'] if 'SFENet1.weight' in shapes else shapes['sfe1.weight']
    layer = r'(?:RDBs|rdbs)\.0\.(?:convs|layers)\.(\d+)\.conv(?:\.0)?\.weight'
    return {
        'D': count(r'(?:RDBs|rdbs)\.(\d+)\.(?:LFF|lff)\.weight', shapes),
        'C': count(layer, shapes),
        'G': next(shape[0] for key, shape in shapes.items() if re.fullmatch(layer, key)),
        'G0': first[0],
        'kernel_size': first[2],
    }


def infer_swinir(shapes: Shapes) -> Options:
    """SwinIR as an encoder or with its upsampler."""
    groups = [f'layers.{group}.residual_group.blocks' for group in range(count(r'layers\.(\d+)\.', shapes))]
    # One row for each offset within a window, one column for each head.
    tables = [shapes[f'{blocks}.0.attn.relative_position_bias_table'] for blocks in groups]
    dim = shapes['conv_first.weight'][0]
    return {
        'window_size': (isqrt(tables[0][0]) + 1) // 2,
        'embed_dim': dim,
        'depths': [count(rf'{re.escape(blocks)}\.(\d+)\.norm1\.', shapes) for blocks in groups],
        'num_heads': [heads for _, heads in tables],
        'mlp_ratio': shapes['layers.0.residual_group.blocks.0.mlp.fc1.weight'][0] / dim,
        'resi_connection': '3conv' if 'conv_after_body.2.weight' in shapes else '1conv',
        'conv_before_upsample': 'conv_before_upsample.0.weight' in shapes,
    }


def infer_decoder(shapes: Shapes, feature_dim: int) -> tuple[DecoderType, Options]:
    """A decoder of LIIF's family, or CiaoSR, by its keys.

    Args:
        shapes: of the decoder alone, without a prefix.
        feature_dim: channels of the encoder's features.

    Raises:
        UnknownNetworkError: if the keys are no known decoder's.
    """
    for key, decoder, infer in _DECODERS:
        if key in shapes:
            return decoder, infer(shapes, feature_dim)
    if 'imnet.layers.0.weight' in shapes:
        if shapes['imnet.layers.0.weight'][1] == 3:
            return DecoderType.MetaSR, {'hidden': hidden_of('imnet.layers', shapes)}
        return DecoderType.LIIF, _liif(shapes, feature_dim)
    raise UnknownNetworkError(f'These are no weights of a known decoder: {_first(shapes)}.')


def _ciaosr(shapes: Shapes, feature_dim: int) -> Options:
    # Keys are pixels' features or their 3x3 neighborhoods; values also hold what each scale of cs_attn found.
    key_dim = shapes['imnet_k.layers.0.weight'][1] - 4
    value_dim = shapes['imnet_v.layers.0.weight'][1] - 4
    names = {2: 'down', 3: 'downx3', 4: 'downx4'}
    scales = [scale for scale, name in names.items() if f'cs_attn.{name}.weight' in shapes]
    if (value_dim - key_dim) // feature_dim < len(scales):
        scales.remove(2)  # stored even where it is not used
    options: Options = {f'hidden_{part}': hidden_of(f'imnet_{part}.layers', shapes) for part in 'qkv'}
    options |= {'feat_unfold': key_dim != feature_dim, 'non_local_attn': bool(value_dim - key_dim)}
    return options | ({'multi_scale': scales} if value_dim - key_dim else {})


def _srno(shapes: Shapes, _feature_dim: int) -> Options:
    return {'width': shapes['conv00.weight'][0], 'heads': shapes['conv0.kln.weight'][0]}


def _hiif(shapes: Shapes, _feature_dim: int) -> Options:
    width = shapes['freq.weight'][0]
    return {'width': width, 'heads': width // shapes['conv0.kln.weight'][0]}


def _clit(shapes: Shapes, _feature_dim: int) -> Options:
    """The highest frequency and the activation are in no weight; the heads in those of the positional bias only."""
    base_dim = shapes['conv_ch.weight'][0]
    window, cell = divmod(shapes['imnets.0.layers.0.weight'][1], base_dim)
    return {
        'stages': count(r'imnets\.(\d+)\.', shapes),
        'base_dim': base_dim,
        'r': isqrt(window) // 2,
        'hidden': hidden_of('imnets.0.layers', shapes),
        'is_cell': bool(cell),
        **_clit_positions(shapes),
    }


def _clit_positions(shapes: Shapes) -> Options:
    for kind, key in (('sinusoid', 'pb_encoder.proj.weight'), ('dpb', 'pb_encoder.proj.2.weight')):
        if key in shapes:
            return {'posenc_type': kind, 'head': shapes[key][0], 'enc_dims': shapes[key][1]}
    if any(key.startswith('pb_encoder.') for key in shapes):
        raise UnknownNetworkError('These are weights of CLIT with a positional bias that this framework does not have.')
    return {'posenc_type': None}


def _linf(shapes: Shapes, _feature_dim: int) -> Options:
    return {
        'hidden_dim': shapes['coef.weight'][0],
        'hidden': hidden_of('layers', shapes),
        'flow_layers': count(r'imnet\.linears\.(\d+)\.', shapes),
        'patch_size': isqrt(shapes['imnet.last._weight'][0] // 3),
    }


def _lte(shapes: Shapes, _feature_dim: int) -> Options:
    plus = 'layers.0.weight' in shapes
    hidden = hidden_of('layers' if plus else 'imnet.layers', shapes)
    return {'hidden_dim': shapes['coef.weight'][0], 'hidden': hidden, 'plus': plus}


def _liif(shapes: Shapes, feature_dim: int) -> Options:
    dim_in = shapes['imnet.layers.0.weight'][1]
    feat_unfold = dim_in >= 9 * feature_dim
    cell_decode = dim_in - feature_dim * (9 if feat_unfold else 1) == 4
    return {'hidden': hidden_of('imnet.layers', shapes), 'feat_unfold': feat_unfold, 'cell_decode': cell_decode}


_DECODERS = (
    ('imnet_q.layers.0.weight', DecoderType.CiaoSR, _ciaosr),
    ('conv00.weight', DecoderType.SRNO, _srno),
    ('fc_layers.0.fc1.weight', DecoderType.HIIF, _hiif),
    ('conv_ch.weight', DecoderType.CLIT, _clit),
    ('imnet.last._weight', DecoderType.LINF, _linf),
    ('coef.weight', DecoderType.LTE, _lte),
)


def hidden_of(prefix: str, shapes: Shapes) -> list[int]:
    """Widths of the hidden layers of an MLP below a prefix."""
    numbers = sorted(
        int(found[1]) for key in shapes if (found := re.fullmatch(rf'{re.escape(prefix)}\.(\d+)\.weight', key))
    )
    return [shapes[f'{prefix}.{number}.weight'][0] for number in numbers[:-1]]


def sub_pixel_scale(prefix: str, shapes: Shapes) -> int:
    """Scale of an upsampler below a prefix: each convolution gives as many more channels as its pixel shuffle needs."""
    scale = 1
    for key, shape in shapes.items():
        if re.fullmatch(rf'{re.escape(prefix)}\.\d+\.weight', key):
            scale *= isqrt(shape[0] // shape[1])
    return scale


def count(pattern: str, keys: Iterable[str]) -> int:
    """One more than the largest number in the pattern's group, over the keys that it matches from their beginning."""
    return 1 + max((int(found[1]) for key in keys if (found := re.match(pattern, key))), default=-1)


def _first(shapes: Shapes) -> str:
    keys = sorted(shapes)
    return ', '.join(keys[:5]) + (f' and {len(keys) - 5} more' if len(keys) > 5 else '') if keys else 'none at all'
