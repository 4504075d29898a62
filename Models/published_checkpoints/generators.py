"""From the constructor arguments of other repositories to networks of ours.

XPixelGroup/BasicSR and traiNNer write them as `network_g` into their options, mmagic and caojiezhang/CiaoSR as
`generator`; JingyunLiang/SwinIR has them in its test script. What is left out has the original's default.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from Models.DecoderType import DecoderType
from Models.EncoderType import EncoderType
from Models.published_checkpoints.key_maps import (
    from_basicsr_edsr,
    from_basicsr_rcan,
    from_liif,
    from_mm_edsr,
    from_mm_rdn,
    from_mm_swinir,
    from_swinir,
)
from Models.published_checkpoints.PublishedNetwork import PublishedNetwork, Shapes, UnknownNetworkError
from Models.published_checkpoints.recognition import DIV2K_MEAN
from Models.published_checkpoints.shapes import below
from Models.published_checkpoints.specifications import decoder_of, encoder_of, refuse_unknown

Options = dict[str, Any]
Arguments = Mapping[str, Any]

_MM_OF_NO_EFFECT = 'type eval_bsize query_mlp key_mlp value_mlp window_size train_cfg test_cfg pretrained'


def from_basicsr(name: str, args: Arguments) -> PublishedNetwork:
    """EDSR or RCAN of BasicSR, with its upsampler.

    Raises:
        UnknownNetworkError: for another network.
        ValueError: for an argument that is unknown, or that we can not follow.
    """
    common = 'num_in_ch num_out_ch num_feat num_block upscale res_scale img_range rgb_mean type'
    encoder_options: Options = {'n_feats': args.get('num_feat', 64), 'n_resblocks': args.get('num_block', 16)}
    encoder_options['res_scale'] = args.get('res_scale', 1)
    if name == 'EDSR':
        refuse_unknown(name, args, common)
        encoder, keys = EncoderType.EDSR, from_basicsr_edsr
    elif name == 'RCAN':
        refuse_unknown(name, args, f'{common} num_group squeeze_factor')
        encoder, keys = EncoderType.RCAN, from_basicsr_rcan
        encoder_options |= {'n_resgroups': args.get('num_group', 10), 'reduction': args.get('squeeze_factor', 16)}
    else:
        raise UnknownNetworkError(f'There is no network {name!r} of BasicSR in this framework. Known: EDSR, RCAN.')
    _refuse_gray(args, 'num_in_ch')
    scale = args.get('upscale', 4)
    native = _native(scale, args.get('rgb_mean', DIV2K_MEAN), args.get('img_range', 255.0))
    return PublishedNetwork(encoder, encoder_options, DecoderType.Native, native, keys, scale_range=(scale, scale))


def from_swinir_arguments(args: Arguments) -> PublishedNetwork:
    """SwinIR of JingyunLiang/SwinIR, BasicSR or traiNNer, with its upsampler.

    Raises:
        ValueError: for an argument that is unknown, or that we can not follow.
    """
    known = 'img_size patch_size window_size embed_dim depths num_heads mlp_ratio resi_connection in_chans'
    refuse_unknown('SwinIR', args, f'{known} upscale img_range upsampler drop_path_rate type')
    _refuse_gray(args, 'in_chans')
    upsampler = args.get('upsampler', '')
    if upsampler not in ('pixelshuffle', 'pixelshuffledirect'):
        raise ValueError(f"SwinIR's upsampler must be 'pixelshuffle' or 'pixelshuffledirect', got {upsampler!r}.")
    encoder: Options = {
        'window_size': args.get('window_size', 7),
        'embed_dim': args.get('embed_dim', 96),
        'depths': args.get('depths', (6, 6, 6, 6)),
        'num_heads': args.get('num_heads', (6, 6, 6, 6)),
        'mlp_ratio': args.get('mlp_ratio', 4.0),
        'resi_connection': args.get('resi_connection', '1conv'),
        'conv_before_upsample': upsampler == 'pixelshuffle',
    }
    scale = args.get('upscale', 2)
    native = _native(scale, DIV2K_MEAN, args.get('img_range', 1.0))
    return PublishedNetwork(
        EncoderType.SwinIR, encoder, DecoderType.Native, native, from_swinir, scale_range=(scale, scale)
    )


def from_generator(name: str, args: Arguments) -> PublishedNetwork:
    """CiaoSR of caojiezhang/CiaoSR or LIIF of mmagic, by the class's name and its arguments.

    Raises:
        UnknownNetworkError: for another network or encoder.
        ValueError: for an argument that is unknown, or that we can not follow.
    """
    encoder_args = args['encoder']
    read = {
        'EDSR': (EncoderType.EDSR, _mm_edsr, from_mm_edsr),
        'RDN': (EncoderType.RDN, _mm_rdn, from_mm_rdn),
        'SwinIR': (EncoderType.SwinIR, _mm_swinir, from_mm_swinir),
    }
    kind = str(encoder_args.get('type')).removesuffix('Net')
    if kind not in read:
        raise UnknownNetworkError(
            f'There is no encoder {kind!r} of mmagic in this framework. Known: {", ".join(read)}.'
        )
    encoder, options_of, keys = read[kind]
    others = {key: value for key, value in args.items() if key != 'encoder'}
    if name.startswith('LocalImplicitSR'):
        decoder, decoder_options = DecoderType.CiaoSR, _ciaosr(others)
    elif name.startswith('LIIF'):
        decoder, decoder_options = DecoderType.LIIF, _mm_liif(others)
    else:
        raise UnknownNetworkError(
            f'There is no generator {name!r} in this framework. Known: CiaoSR (LocalImplicitSR), LIIF.'
        )
    return PublishedNetwork(encoder, options_of(encoder_args), decoder, decoder_options, keys)


def from_study(
    name: str, args: Arguments, encoder: str, encoder_args: Arguments, shapes: Shapes | None = None
) -> PublishedNetwork:
    """A network of tayyabnasir22/INR-ASSR-Emperical-Analysis; so far HIIF, as no other source of it was to be had.

    Raises:
        UnknownNetworkError: for another network or encoder.
        ValueError: for an argument that is unknown.
    """
    if name != 'HIIF':
        raise UnknownNetworkError(f"Of the study's networks only HIIF is read by its arguments, not {name!r}.")
    # Its encoders are those of LIIF; EDSR is the baseline unless it says otherwise.
    spec = 'edsr-baseline' if encoder == 'EDSR' else encoder.lower()
    of_encoder = below('encoder.', shapes) if shapes is not None else None
    kind, encoder_options = encoder_of(spec, encoder_args, of_encoder)
    decoder, decoder_options = decoder_of(name.lower(), args, shapes)
    return PublishedNetwork(kind, encoder_options, decoder, decoder_options, from_liif)


def _mm_edsr(args: Arguments) -> Options:
    known = 'type in_channels out_channels mid_channels num_blocks upscale_factor res_scale rgb_mean rgb_std'
    refuse_unknown('EDSR', args, known)
    return {
        'n_resblocks': args.get('num_blocks', 16),
        'n_feats': args.get('mid_channels', 64),
        'res_scale': args.get('res_scale', 1),
    }


def _mm_rdn(args: Arguments) -> Options:
    refuse_unknown(
        'RDN', args, 'type in_channels out_channels mid_channels num_blocks upscale_factor num_layers channel_growth'
    )
    return {
        'D': args.get('num_blocks', 16),
        'C': args.get('num_layers', 8),
        'G': args.get('channel_growth', 64),
        'G0': args.get('mid_channels', 64),
    }


def _mm_swinir(args: Arguments) -> Options:
    # CiaoSR takes the features from before the upsampler, which it removes.
    network = from_swinir_arguments({**args, 'upsampler': 'pixelshuffledirect'})
    return dict(network.encoder_options)


def _ciaosr(args: Arguments) -> Options:
    names = 'local_size feat_unfold non_local_attn multi_scale softmax_scale'
    refuse_unknown('CiaoSR', args, f'imnet_q imnet_k imnet_v {names} {_MM_OF_NO_EFFECT}')
    options: Options = {f'hidden_{part}': args[f'imnet_{part}']['hidden_list'] for part in 'qkv'}
    return options | {name: args[name] for name in names.split() if name in args}


def _mm_liif(args: Arguments) -> Options:
    names = 'local_ensemble feat_unfold cell_decode'
    refuse_unknown('LIIF', args, f'imnet {names} {_MM_OF_NO_EFFECT}')
    options: Options = {'hidden': args['imnet']['hidden_list']}
    return options | {name: args[name] for name in names.split() if name in args}


def _native(scale: int, mean: Sequence[float], image_range: float) -> Options:
    return {'scale': scale, 'image_mean': tuple(mean), 'image_std': (1 / image_range,) * 3}


def _refuse_gray(args: Arguments, name: str) -> None:
    if args.get(name, 3) != 3:
        raise ValueError(f'Networks take three colors, got {name} = {args[name]}.')
