"""Every official configuration is recognised by its specification, and by its keys and shapes alone."""

from typing import Any

import pytest
import torch

from Models import DecoderType, EncoderType
from Models.published_checkpoints import (
    PublishedNetwork,
    UnknownNetworkError,
    from_specification,
    load_weights,
    recognise,
)
from tests.reference_files import official_configurations, official_keys

ENCODERS = ('edsr-baseline-encoder', 'edsr-encoder', 'rdn-encoder', 'rcan-encoder', 'swinir-encoder-lte')
NOT_IN_THIS_FRAMEWORK = (
    'rrdb-linf-patch3', 'rrdbnet-basicsr-x4', 'rrdbnet-esrgan-x4', 'msrresnet-x4', 'vggdisc-128', 'unetdisc-sn',
    'srresnet-srgan-x4 (Lornatang)', 'aidl-rrdbnet-x4', 'aidl-vggdisc',
)  # fmt: skip
NETWORKS = [name for name in official_configurations() if name not in (*ENCODERS, *NOT_IN_THIS_FRAMEWORK)]
SPECIFIED = [name for name in NETWORKS if 'spec' in official_configurations()[name]['constructor']]


MLP = {'name': 'mlp', 'args': {'hidden_list': [8]}}


def positions(kind: str, **args: Any) -> dict[str, Any]:
    return {'name': 'posenc', 'args': {'posenc_type': kind, **args}}


def shapes_of(name: str) -> dict[str, tuple[int, ...]]:
    return dict(official_keys(name))


def assert_fits(network: PublishedNetwork, name: str) -> None:
    """Every key has its place, and the official number of parameters is ours and that of unused constants."""
    with torch.device('meta'):
        model = network.build()
        state = {key: torch.empty(shape) for key, shape in shapes_of(name).items()}
        report = load_weights(model, state, network.keys)
    unused = sum(state[key].numel() for key in report.without_effect if '_mean' in key)
    ours = sum(parameter.numel() for parameter in model.parameters())
    assert ours + unused == official_configurations()[name]['n_params']


@pytest.mark.parametrize('name', NETWORKS)
def test_keys_and_shapes_tell_the_network(name: str) -> None:
    assert_fits(recognise(shapes_of(name)), name)


@pytest.mark.parametrize(
    'name', [name for name in NETWORKS if 'spec' in official_configurations()[name]['constructor']]
)
def test_the_specification_tells_the_same_network(name: str) -> None:
    spec = official_configurations()[name]['constructor']['spec']
    network = from_specification(spec['name'], spec['args'])
    assert_fits(network, name)
    recognised = recognise(shapes_of(name))
    assert (network.name, network.input_patch, network.scale_range) == (
        recognised.name, recognised.input_patch, recognised.scale_range
    )  # fmt: skip


@pytest.mark.parametrize('name', [*ENCODERS, *NOT_IN_THIS_FRAMEWORK])
def test_others_and_lone_encoders_are_refused(name: str) -> None:
    with pytest.raises(UnknownNetworkError):
        recognise(shapes_of(name))


@pytest.mark.parametrize(
    ('name', 'encoder', 'decoder', 'options'),
    [
        ('ciaosr-swinir', EncoderType.SwinIR, DecoderType.CiaoSR, {'multi_scale': [2], 'feat_unfold': True}),
        ('swinir-classical-x4', EncoderType.SwinIR, DecoderType.Native, {'scale': 4, 'image_std': (1.0, 1.0, 1.0)}),
        ('swinir-lightweight-x4', EncoderType.SwinIR, DecoderType.Native, {'scale': 4}),
        ('rdn-x3 (liif wrapper)', EncoderType.RDN, DecoderType.Native, {'scale': 3}),
        ('basicsr-edsr-M-x4', EncoderType.EDSR, DecoderType.Native, {'scale': 4, 'image_std': (1 / 255,) * 3}),
        ('edsr-baseline-clit3', EncoderType.EDSR, DecoderType.CLIT, {'stages': 3, 'r': 3, 'head': 8}),
        ('edsr-baseline-metasr', EncoderType.EDSR, DecoderType.MetaSR, {'hidden': [256]}),
    ],
)
def test_options_follow_from_the_shapes(
    name: str, encoder: EncoderType, decoder: DecoderType, options: dict[str, Any]
) -> None:
    network = recognise(shapes_of(name))
    assert (network.encoder, network.decoder) == (encoder, decoder)
    assert {option: network.decoder_options[option] for option in options} == options


def test_large_edsr_has_the_paper_s_residual_scale() -> None:
    official = {f'encoder.{key}': shape for key, shape in official_keys('edsr-encoder')}
    decoder = {key: shape for key, shape in official_keys('edsr-baseline-metasr') if not key.startswith('encoder.')}
    network = recognise(official | decoder)
    assert network.encoder_options['res_scale'] == 0.1
    assert any('residuals is in no file' in remark for remark in network.remarks)


@pytest.mark.parametrize(
    ('name', 'args', 'message'),
    [
        ('clit', {'local_attn': False}, 'local_attn=False'),
        ('clit', {'imnet_num': 2, 'conv_num': 1}, 'imnet_num 2 and conv_num 1'),
        ('clit', {'imnet_spec': MLP, 'pb_spec': positions('ipe')}, "posenc_type 'sinusoid' or 'dpb'"),
        ('clit', {'imnet_spec': MLP, 'pb_spec': positions('dpb', enc_dims=64)}, 'as wide as enc_dims, got 32 and 64'),
        ('lte', {'imnet_spec': None}, 'LTE needs an MLP as imnet_spec, got None'),
        ('lte', {'imnet_spec': {'name': 'mlp', 'args': {'out_dim': 1, 'hidden_list': [8]}}}, 'out three colors'),
        ('liif', {'imnet_spec': {'name': 'mlp', 'args': {'hidden_list': [8], 'act': 'gelu'}}}, "'relu', got 'gelu'"),
        ('sronet', {'depth': 3}, 'SRNO has no argument depth; its official ones are: width blocks'),
    ],
)
def test_arguments_that_can_not_be_followed_are_refused(name: str, args: dict[str, Any], message: str) -> None:
    encoder = {'name': 'edsr-baseline', 'args': {'no_upsampling': True}}
    with pytest.raises(ValueError, match=message):
        from_specification(name, {'encoder_spec': encoder, **args})


def test_an_upsampler_below_a_decoder_is_refused() -> None:
    with pytest.raises(ValueError, match='has an upsampler of its own'):
        from_specification('metasr', {'encoder_spec': {'name': 'edsr-baseline', 'args': {}}})
