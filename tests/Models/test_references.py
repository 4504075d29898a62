"""Our networks give the published networks' outputs with the published weights, for every fixture of a folder.

`pytest --references DIR` runs over another folder of the same format. The arguments of the official constructor are all
that the networks are built from, by the importer of official files.
"""

from pathlib import Path
from typing import Any

import pytest
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
from tests.reference_files import REFERENCES, Reference, official_keys_of, regenerated_state
from Utilities.find_class import find_class

NOT_IN_THIS_FRAMEWORK = {
    'RRDBNet': 'this framework has no RRDBNet yet',
    'MSRResNet': 'this framework has no MSRResNet yet',
    'SRResNet': 'this framework has no SRResNet yet',
    'VGGStyleDiscriminator': 'this framework has no discriminator yet',
    'UNetDiscriminatorSN': 'this framework has no discriminator yet',
    'metrics': 'no network; see tests/Models/Quality/test_metrics.py',
    'imresize': 'no network; see tests/Utilities/test_resize.py',
    'SRImplicitDownsampled': 'no network; a data set of yinboc/liif',
}
"""By official class. A fixture of any other class must pass."""

LIIF_ENCODERS = ('edsr-baseline', 'edsr', 'rdn', 'rcan')
WRAPPED = KeyMap(((r'encoder\.', ''),))
"""An encoder within LIIF without an MLP."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if 'fixture_file' not in metafunc.fixturenames:
        return
    folder = metafunc.config.getoption('--references')
    path = REFERENCES if folder is None else (metafunc.config.invocation_params.dir / folder).resolve()
    files = sorted(path.glob('*.npz'))
    if not files:
        raise pytest.UsageError(f'There are no *.npz in {path} (--references).')
    metafunc.parametrize('fixture_file', files, ids=[file.stem for file in files])


def test_the_network_equals_the_published_one(fixture_file: Path) -> None:
    reference = Reference(fixture_file)
    if reference.kind in NOT_IN_THIS_FRAMEWORK:
        pytest.skip(NOT_IN_THIS_FRAMEWORK[reference.kind])
    assert_equals(reference)


@torch.inference_mode()
def assert_equals(reference: Reference) -> None:
    subject = subject_of(reference)
    assert reference.calls
    for number, call in enumerate(reference.calls, start=1):
        found = outputs_of(subject, call)
        assert set(call.outputs) <= set(found), f'call {number}: {set(call.outputs) - set(found)} can not be given'
        for name, expected in call.outputs.items():
            tolerance = call.atol[name]
            if tolerance is None:  # discontinuous
                continue
            assert found[name].shape == expected.shape, f'call {number}, {name}'
            error = (found[name] - expected).abs().max().item()
            assert error <= tolerance, f'call {number}, {name}: off by {error:.2e}, allowed {tolerance:.2e}'


def subject_of(reference: Reference) -> Subject:
    """Our network with the fixture's weights, built from the official constructor's arguments."""
    constructor = reference.meta['constructor']
    repository = reference.meta['repo']
    # Full-size fixtures store no weights; then the official lists tell, where they have the network.
    stored = {key: tuple(value.shape) for key, value in reference.state.items()}
    shapes = stored or dict(official_keys_of(constructor) or []) or None
    if 'spec' in constructor:
        return _of_liif_family(reference, constructor['spec'], shapes)
    args = constructor['args']
    match repository.partition('/')[2]:
        case 'lte':
            return _encoder(reference, 'swinir', args, shapes)
        case 'SwinIR':
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
    raise AssertionError(f'{reference.name} is of {repository}, which has no reader here.')


def _of_liif_family(reference: Reference, spec: dict[str, Any], shapes: Shapes | None) -> Subject:
    name, args = spec['name'], spec['args']
    if name in LIIF_ENCODERS or name.startswith('swinir'):
        return _encoder(reference, name, args, shapes)
    encoder = args['encoder_spec']
    encoder_args = encoder.get('args') or {}
    if name == 'liif' and args.get('imnet_spec') is None and encoder_args.get('no_upsampling'):
        return _encoder(reference, encoder['name'], encoder_args, shapes and below('encoder.', shapes), WRAPPED)
    try:
        network = from_specification(name, args, shapes)
    except UnknownNetworkError:
        if encoder['name'] != 'rrdb':
            raise
        return _decoder(reference, name, args, shapes)
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
    keys = official_keys_of(reference.meta['constructor'])
    if keys is None:
        own = network.state_dict()
        keys = [(name, tuple(own[key].shape)) for key, name in official_names(family, own).items()]
    return regenerated_state(reference.meta, keys)


@pytest.mark.parametrize('name', ['liif', 'swinir_lte', 'basicsr_rcan_x2', 'ciaosr', 'clit2', 'linf', 'hiif'])
def test_a_planted_wrong_weight_is_found(name: str) -> None:
    reference = Reference(name)
    state = reference.state
    planted = next(key for key in reversed(list(state)) if key.endswith('.weight') and '_mean' not in key)
    with pytest.raises(AssertionError, match='off by'):
        assert_equals(reference.with_state({**state, planted: state[planted] * 1.1}))


def test_a_key_left_over_or_missing_is_found() -> None:
    reference = Reference('lte')
    state = reference.state
    with pytest.raises(ValueError, match=r'1 left over.*left over: imnet\.layers\.9\.weight'):
        assert_equals(reference.with_state({**state, 'imnet.layers.9.weight': torch.zeros(2)}))
    del state['phase.weight']
    with pytest.raises(ValueError, match=r'1 missing.*missing: decoder\.phase\.weight'):
        assert_equals(reference.with_state(state))


@pytest.mark.parametrize('name', ['fullsize_edsr_baseline_lte', 'fullsize_edsr_ciaosr', 'fullsize_rcan_encoder'])
def test_names_led_back_from_ours_are_the_official_ones(name: str) -> None:
    """Full-size weights are regenerated by name, also for networks that the official lists do not have."""
    reference = Reference(name)
    keys = official_keys_of(reference.meta['constructor'])
    assert keys is not None
    subject = subject_of(reference)
    if subject.decoder is None:
        assert subject.encoder is not None
        own, family = subject.encoder.state_dict(), 'liif-encoder'
    else:
        own, family = subject.model.state_dict(), 'mm-edsr' if 'ciaosr' in name else 'liif'
    without_effect = ('sub_mean', 'add_mean', 'escape_NaN')
    with_effect = {key for key, _ in keys if not any(part in key for part in without_effect)}
    assert set(official_names(family, own).values()) == with_effect
