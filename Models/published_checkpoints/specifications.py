"""From official specifications, which files of LIIF's family carry, to networks of ours.

A specification is `{'name': ..., 'args': {...}}`; the names and arguments are those of yinboc/liif and the repositories
that grew from it: jaewon-lee-b/lte, 2y7c3/Super-Resolution-Neural-Operator, JNNNNYao/LINF, jaroslaw1007/CLIT. What is
left out has the original's default.
"""

from collections.abc import Callable, Mapping
from typing import Any

from Models.DecoderType import DecoderType
from Models.EncoderType import EncoderType
from Models.published_checkpoints.key_maps import from_liif
from Models.published_checkpoints.PublishedNetwork import PublishedNetwork, Shapes, UnknownNetworkError
from Models.published_checkpoints.shapes import below, infer_rdn

Options = dict[str, Any]
Arguments = Mapping[str, Any]

_SRNO_PATCH = 128
_RDN_CONFIGS = ('A', 'B')


def from_specification(name: str, args: Arguments, shapes: Shapes | None = None) -> PublishedNetwork:
    """The network of a specification such as `liif` with its `encoder_spec`.

    Args:
        name, args: the specification.
        shapes: of the official weights, for what neither the arguments nor a default say.

    Raises:
        UnknownNetworkError: for an encoder or decoder that this framework does not have.
        ValueError: for an argument that is unknown, or that we can not follow.
    """
    encoder_spec = args.get('encoder_spec')
    if encoder_spec is None:
        raise ValueError(f'The specification {name!r} names no encoder (encoder_spec).')
    encoder_args = encoder_spec.get('args') or {}
    of_encoder = below('encoder.', shapes) if shapes is not None else None
    encoder, encoder_options = encoder_of(encoder_spec['name'], encoder_args, of_encoder)
    decoder, decoder_options = decoder_of(name, args, shapes)
    scale = native_scale(encoder_spec['name'], encoder_args)
    scale_range = (1.0, 4.0)
    if scale is not None:
        if name != 'liif' or args.get('imnet_spec') is not None:
            raise ValueError(f'The encoder of {name!r} has an upsampler of its own (no_upsampling is not set).')
        # The original's way to run fixed-scale networks: the picture is looked up, pixel by pixel.
        decoder, decoder_options, scale_range = DecoderType.Native, {'scale': scale}, (float(scale), float(scale))
    return PublishedNetwork(
        encoder,
        encoder_options,
        decoder,
        decoder_options,
        from_liif,
        input_patch=_SRNO_PATCH if decoder is DecoderType.SRNO else 48,
        scale_range=scale_range,
    )


def encoder_of(name: str, args: Arguments, shapes: Shapes | None = None) -> tuple[EncoderType, Options]:
    """An encoder's specification in our terms; see `from_specification`."""
    if name not in _ENCODERS:
        if name.startswith('swinir'):
            return EncoderType.SwinIR, _swinir(args)
        known = ', '.join([*_ENCODERS, 'swinir'])
        raise UnknownNetworkError(f'There is no encoder {name!r} in this framework. Known: {known}.')
    kind, read = _ENCODERS[name]
    return kind, read(args, shapes)


def decoder_of(name: str, args: Arguments, shapes: Shapes | None = None) -> tuple[DecoderType, Options]:
    """A decoder's specification in our terms, whatever the encoder; see `from_specification`."""
    if name not in _DECODERS:
        raise UnknownNetworkError(f'There is no network {name!r} in this framework. Known: {", ".join(_DECODERS)}.')
    kind, read = _DECODERS[name]
    return kind, read({key: value for key, value in args.items() if key != 'encoder_spec'}, shapes)


def native_scale(name: str, args: Arguments) -> int | None:
    """Scale of the encoder's own upsampler; None if it has none."""
    if name.startswith('swinir') or args.get('no_upsampling', False):
        return None
    return int(args.get('scale', 2))


def _edsr(blocks: int, width: int, res_scale: float) -> Callable[[Arguments, Shapes | None], Options]:
    def read(args: Arguments, _shapes: Shapes | None) -> Options:
        refuse_unknown('EDSR', args, 'n_resblocks n_feats res_scale scale no_upsampling rgb_range')
        defaults = {'n_resblocks': blocks, 'n_feats': width, 'res_scale': res_scale}
        return {name: args.get(name, default) for name, default in defaults.items()}

    return read


def _rcan(args: Arguments, _shapes: Shapes | None) -> Options:
    # The original takes a res_scale and ignores it.
    refuse_unknown('RCAN', args, 'n_resgroups n_resblocks n_feats reduction scale no_upsampling rgb_range res_scale')
    return {name: args[name] for name in ('n_resgroups', 'n_resblocks', 'n_feats', 'reduction') if name in args}


def _rdn(args: Arguments, shapes: Shapes | None) -> Options:
    refuse_unknown('RDN', args, 'G0 RDNkSize RDNconfig scale no_upsampling')
    config = args.get('RDNconfig', 'B')
    options: Options = {'G0': args.get('G0', 64), 'kernel_size': args.get('RDNkSize', 3)}
    if config in _RDN_CONFIGS:
        return {'config': config, **options}
    if shapes is None:
        raise ValueError(f"RDNconfig must be 'A' or 'B', or the weights must tell, got {config!r}.")
    return {**infer_rdn(shapes), **options}


def _swinir(args: Arguments) -> Options:
    names = 'window_size embed_dim depths num_heads mlp_ratio resi_connection'
    # The mask's training size is no matter here; the rest are fixed in the original.
    refuse_unknown(
        'SwinIR', args, f'{names} no_upsampling img_size in_chans img_range upsampler upscale drop_path_rate'
    )
    return {name: args[name] for name in names.split() if name in args}


def _liif(args: Arguments, _shapes: Shapes | None) -> Options:
    refuse_unknown('LIIF', args, 'imnet_spec local_ensemble feat_unfold cell_decode')
    hidden = _hidden('LIIF', args) if args.get('imnet_spec') is not None else None
    return {'hidden': hidden, **{name: value for name, value in args.items() if name != 'imnet_spec'}}


def _metasr(args: Arguments, _shapes: Shapes | None) -> Options:
    refuse_unknown('MetaSR', args, '')
    return {}


def _lte(args: Arguments, _shapes: Shapes | None) -> Options:
    refuse_unknown('LTE', args, 'imnet_spec hidden_dim')
    return {'hidden': _hidden('LTE', args), 'hidden_dim': args.get('hidden_dim', 256)}


def _lte_plus(args: Arguments, _shapes: Shapes | None) -> Options:
    refuse_unknown('LTE+', args, 'num_layer hidden_dim out_dim imnet_spec')
    _refuse_other_outputs('LTE+', args.get('out_dim', 3))
    hidden_dim = args.get('hidden_dim', 256)
    return {'hidden': (hidden_dim,) * args.get('num_layer', 3), 'hidden_dim': hidden_dim, 'plus': True}


def _srno(args: Arguments, _shapes: Shapes | None) -> Options:
    refuse_unknown('SRNO', args, 'width blocks')
    return {'width': args.get('width', 256), 'heads': args.get('blocks', 16)}


def _linf(args: Arguments, _shapes: Shapes | None) -> Options:
    refuse_unknown('LINF', args, 'imnet_spec flow_layers num_layer hidden_dim')
    hidden_dim = args.get('hidden_dim', 256)
    return {
        'hidden_dim': hidden_dim,
        'hidden': (hidden_dim,) * args.get('num_layer', 3),
        'flow_layers': args.get('flow_layers', 10),
    }


def _linf_patch(args: Arguments, shapes: Shapes | None) -> Options:
    patch_size = args.get('patch_size', 3)
    return {
        **_linf({key: value for key, value in args.items() if key != 'patch_size'}, shapes),
        'patch_size': patch_size,
    }


def _clit(args: Arguments, _shapes: Shapes | None) -> Options:
    refuse_unknown(
        'CLIT', args, 'base_dim head r imnet_num conv_num is_cell local_attn imnet_spec pb_spec pe_spec verbose'
    )
    if not args.get('local_attn', True):
        raise ValueError('CLIT without windows (local_attn=False) is not in this framework.')
    stages, convolutions = args.get('imnet_num', 1), args.get('conv_num', 1)
    if stages != convolutions:
        raise ValueError(f'CLIT with imnet_num {stages} and conv_num {convolutions}: must be the same.')
    mlp = _mlp_args('CLIT', args)
    defaults = {'base_dim': 192, 'head': 8, 'r': 3, 'is_cell': True}
    return {
        'stages': stages,
        'hidden': mlp['hidden_list'],
        'act': mlp.get('act', 'relu'),
        **{name: args.get(name, default) for name, default in defaults.items()},
        **_clit_positions(args.get('pb_spec')),
    }


def _clit_positions(spec: Mapping[str, Any] | None) -> Options:
    if not spec:
        return {'posenc_type': None}
    args = spec.get('args') or {}
    kind, width = args.get('posenc_type'), args.get('enc_dims', 256)
    if kind == 'sinusoid':
        return {'posenc_type': kind, 'posenc_scale': float(args.get('posenc_scale', 6)), 'enc_dims': width}
    if kind != 'dpb':
        raise ValueError(f"CLIT's pb_spec must have the posenc_type 'sinusoid' or 'dpb', got {dict(spec)!r}.")
    if args.get('hidden_dims', 32) != width:
        raise ValueError(
            f"CLIT's dpb needs hidden_dims as wide as enc_dims, got {args.get('hidden_dims', 32)} and {width}."
        )
    return {'posenc_type': kind, 'enc_dims': width}


def _hiif(args: Arguments, _shapes: Shapes | None) -> Options:
    # hidden_dim and blocks in the one port, width and blocks as in SRNO in another.
    refuse_unknown('HIIF', args, 'hidden_dim width blocks')
    return {'width': args.get('hidden_dim', args.get('width', 256)), 'heads': args.get('blocks', 16)}


def _hidden(network: str, args: Arguments) -> list[int]:
    mlp = _mlp_args(network, args)
    if mlp.get('act') not in (None, 'relu'):
        raise ValueError(f"{network}'s imnet_spec must have the activation 'relu', got {mlp['act']!r}.")
    return mlp['hidden_list']


def _mlp_args(network: str, args: Arguments) -> dict[str, Any]:
    spec = args.get('imnet_spec')
    if spec is None or spec.get('name', 'mlp') != 'mlp':
        raise ValueError(f'{network} needs an MLP as imnet_spec, got {spec!r}.')
    mlp = dict(spec.get('args') or {})
    _refuse_other_outputs(network, mlp.get('out_dim', 3))
    return {**mlp, 'hidden_list': list(mlp.get('hidden_list', []))}


def _refuse_other_outputs(network: str, found: int) -> None:
    if found != 3:
        raise ValueError(f'{network} must put out three colors (out_dim), got {found}.')


def refuse_unknown(network: str, args: Arguments, known: str) -> None:
    """Refuse arguments that the original does not have; the known ones are separated by blanks."""
    unknown = sorted(set(args) - set(known.split()))
    if unknown:
        raise ValueError(f'{network} has no argument {", ".join(unknown)}; its official ones are: {known or "none"}.')


_ENCODERS = {
    'edsr-baseline': (EncoderType.EDSR, _edsr(16, 64, 1.0)),
    'edsr': (EncoderType.EDSR, _edsr(32, 256, 0.1)),
    'rdn': (EncoderType.RDN, _rdn),
    'rcan': (EncoderType.RCAN, _rcan),
}
_DECODERS = {
    'metasr': (DecoderType.MetaSR, _metasr),
    'liif': (DecoderType.LIIF, _liif),
    'lte': (DecoderType.LTE, _lte),
    'lte-fast': (DecoderType.LTE, _lte_plus),
    'ltep': (DecoderType.LTE, _lte_plus),
    'sronet': (DecoderType.SRNO, _srno),
    'linf': (DecoderType.LINF, _linf),
    'linf-patch': (DecoderType.LINF, _linf_patch),
    'clit': (DecoderType.CLIT, _clit),
    'hiif': (DecoderType.HIIF, _hiif),
}
