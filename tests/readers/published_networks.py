"""Networks that the importer of official files knows, built from the arguments of the official constructor alone."""

from typing import Any

import torch
from torch import Tensor, nn

from Models import DecoderType
from Models.build import build_super_resolver
from Models.Encoders.Encoder import Encoder
from Models.published_checkpoints import KeyMap, from_liif_encoder, from_liif_native, from_specification
from Models.published_checkpoints.generators import from_basicsr, from_generator, from_study, from_swinir_arguments
from Models.published_checkpoints.PublishedNetwork import PublishedNetwork, Shapes, UnknownNetworkError, load_weights
from Models.published_checkpoints.shapes import below
from Models.published_checkpoints.specifications import decoder_of, encoder_of, native_scale
from tests.official_calls import Subject, outputs_of
from tests.official_names import official_names
from tests.readers import Meta, NotInThisFrameworkError
from tests.reference_files import Reference, assert_calls_equal, regenerated_state, stated_keys
from Utilities.find_class import find_class

LIIF_ENCODERS = ('edsr-baseline', 'edsr', 'rdn', 'rcan')
WRAPPED = KeyMap(((r'encoder\.', ''),))
"""An encoder within LIIF without an MLP."""

ARGUMENTS_ONLY = {
    'jaewon-lee-b/lte': ('SwinIR',),
    'JingyunLiang/SwinIR': ('SwinIR',),
    'XPixelGroup/BasicSR': ('EDSR', 'RCAN', 'SwinIR'),
    'caojiezhang/CiaoSR': ('LocalImplicitSR',),
    'tayyabnasir22/INR-ASSR-Emperical-Analysis': ('HIIF',),
}
"""Beginnings of classes, by repository, that are built from bare arguments, not from a specification with a name."""


def claims(meta: Meta) -> bool:
    constructor = meta.get('constructor')
    if not constructor or not meta.get('calls'):
        return False
    if 'spec' in constructor:
        name, args = constructor['spec']['name'], constructor['spec'].get('args') or {}
        return _is_encoder(name) or 'encoder_spec' in args
    kind = meta['class'].split()[0]
    return kind.startswith(ARGUMENTS_ONLY.get(meta['repo'], ()))


@torch.inference_mode()
def check(reference: Reference) -> None:
    try:
        subject = subject_of(reference)
    except UnknownNetworkError as error:
        raise NotInThisFrameworkError(_missing(reference.meta['constructor'])) from error
    assert_calls_equal(reference, lambda call: outputs_of(subject, call))


def _is_encoder(name: str) -> bool:
    return name in LIIF_ENCODERS or name.startswith('swinir')


def subject_of(reference: Reference) -> Subject:  # noqa: PLR0911
    """Our network with the fixture's weights, built from the official constructor's arguments."""
    constructor = reference.meta['constructor']
    # Full-size fixtures store no weights; then the official lists tell, where they have the network.
    stored = {key: tuple(value.shape) for key, value in reference.state.items()}
    shapes = stored or dict(stated_keys(reference.meta) or []) or None
    if 'spec' in constructor:
        return _of_liif_family(reference, constructor['spec'], shapes)
    args = constructor['args']
    match reference.meta['repo'].partition('/')[2]:
        case 'lte':
            return _encoder(reference, 'swinir', args, shapes)
        case 'SwinIR':
            return _whole(reference, from_swinir_arguments(args), 'swinir', normalizes=True)
        case 'BasicSR' if constructor['cls'] == 'SwinIR':
            return _whole(reference, from_swinir_arguments(args), 'swinir', normalizes=True)
        case 'BasicSR':
            name = constructor['cls']
            return _whole(reference, from_basicsr(name, args), f'basicsr-{name.lower()}', normalizes=True)
        case 'CiaoSR':
            network = from_generator(constructor['cls'], args)
            return _whole(reference, network, f'mm-{network.encoder.name.lower()}')
        case 'INR-ASSR-Emperical-Analysis':
            encoder, encoder_args = constructor['encoder']
            return _whole(reference, from_study(constructor['cls'], args, encoder, encoder_args, shapes), 'liif')
    raise AssertionError(
        f'{reference.name} is of {reference.meta["repo"]}, which this reader claims and does not read.'
    )


def _of_liif_family(reference: Reference, spec: dict[str, Any], shapes: Shapes | None) -> Subject:
    name, args = spec['name'], spec['args']
    if _is_encoder(name):
        return _encoder(reference, name, args, shapes)
    encoder = args['encoder_spec']
    encoder_args = encoder.get('args') or {}
    if name == 'liif' and args.get('imnet_spec') is None and encoder_args.get('no_upsampling'):
        return _encoder(reference, encoder['name'], encoder_args, shapes and below('encoder.', shapes), WRAPPED)
    try:
        network = from_specification(name, args, shapes)
    except UnknownNetworkError:
        if all('feat' in call.outputs for call in reference.calls):
            return _decoder(reference, name, args, shapes)
        raise
    return _whole(reference, network, 'liif-rdn' if encoder['name'] == 'rdn' else 'liif')


def _whole(reference: Reference, network: PublishedNetwork, family: str, *, normalizes: bool = False) -> Subject:
    model = network.build().eval()
    _load(reference, model, network.keys, family)
    return Subject(model.encoder, model.decoder, normalizes)


def _encoder(
    reference: Reference, name: str, args: dict[str, Any], shapes: Shapes | None, keys: KeyMap = from_liif_encoder
) -> Subject:
    """A lone encoder, or with its own upsampler."""
    kind, options = encoder_of(name, args, shapes)
    scale = native_scale(name, args)
    if scale is None:
        encoder: Encoder = find_class(kind, 'Models.Encoders')(**options).eval()
        _load(reference, encoder, keys, 'liif-encoder')
        return Subject(encoder, None)
    model = build_super_resolver(kind, DecoderType.Native, options, {'scale': scale}).eval()
    _load(reference, model, from_liif_native, 'liif-encoder')
    return Subject(model.encoder, model.decoder)


def _decoder(reference: Reference, name: str, args: dict[str, Any], shapes: Shapes | None) -> Subject:
    """A decoder whose encoder this framework does not have; the fixture's features stand for it."""
    kind, options = decoder_of(name, args, shapes)
    width = reference.calls[0].outputs['feat'].shape[1]
    decoder = find_class(kind, 'Models.Decoders')(width, **options).eval()
    _load(reference, decoder, KeyMap((), (r'encoder\..+',)), 'liif-encoder')
    return Subject(None, decoder)


def _load(reference: Reference, network: nn.Module, keys: KeyMap, family: str) -> None:
    state = reference.state or _regenerated(reference, network, family)
    report = load_weights(network, state, keys)
    if reference.state and reference.kind != 'LINFPatch':
        stated = set(reference.meta['float_keys_without_effect'])
        unused = {key for key in report.without_effect if state[key].is_floating_point()}
        # The mask of the training size does have an effect there; ours follows from the size at hand.
        assert {key for key in unused if not key.endswith('attn_mask')} <= stated


def _regenerated(reference: Reference, network: nn.Module, family: str) -> dict[str, Tensor]:
    keys = stated_keys(reference.meta)
    if keys is None:
        own = network.state_dict()
        keys = [(name, tuple(own[key].shape)) for key, name in official_names(family, own).items()]
    return regenerated_state(reference.meta['weights'], keys)


def _missing(constructor: dict[str, Any]) -> str:
    """The decoder's name, or, where we have that, the encoder's."""
    if 'spec' not in constructor:
        return constructor['cls']
    spec = constructor['spec']
    try:
        decoder_of(spec['name'], spec['args'])
    except UnknownNetworkError:
        return spec['name']
    except (ValueError, KeyError):
        pass  # known, and refused for another reason
    return spec['args']['encoder_spec']['name']
