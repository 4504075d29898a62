"""Our networks give the published networks' outputs with the published weights."""

import torch

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from Models.Encoders.EDSR import EDSR
from Models.published_checkpoints import from_liif, from_liif_encoder
from Models.SuperResolver import SuperResolver
from tests.reference_files import Reference, regenerated_state


def assert_equal_within(found: torch.Tensor, reference: Reference, key: str) -> None:
    tolerance = reference.tolerance(key)
    assert (found - reference[key]).abs().max().item() <= min(tolerance, 1e-5)


def test_edsr_equals_the_published_one() -> None:
    reference = Reference('enc_edsr')
    args = reference.meta['constructor']['spec']['args']
    encoder = EDSR(n_resblocks=args['n_resblocks'], n_feats=args['n_feats'])
    encoder.load_state_dict(from_liif_encoder(reference.state), strict=True)
    with torch.inference_mode():
        assert_equal_within(encoder(reference['input/inp']), reference, 'output/feat')


def liif_of(reference: Reference) -> SuperResolver:
    args = reference.meta['constructor']['spec']['args']
    encoder = {name: value for name, value in args['encoder_spec']['args'].items() if name != 'no_upsampling'}
    hidden = args['imnet_spec']['args']['hidden_list']
    return build_super_resolver(EncoderType.EDSR, DecoderType.LIIF, encoder, {'hidden': hidden}).eval()


@torch.inference_mode()
def test_liif_equals_the_published_one() -> None:
    reference = Reference('liif')
    model = liif_of(reference)
    model.load_state_dict(from_liif(reference.state), strict=True)
    image, coord, cell = (reference[f'input/{name}'] for name in ('inp', 'coord', 'cell'))
    features = model.encoder(image)
    assert_equal_within(features, reference, 'output/feat')
    colors = model.decoder.query(model.decoder.prepare(features, image), coord, cell[:, 0])
    assert_equal_within(colors, reference, 'output/rgb')


@torch.inference_mode()
def test_upscaling_equals_the_published_evaluation() -> None:
    """Whole pictures in [0, 1], in chunks of 100, at an even and an odd scale where HR and LR centres coincide."""
    reference = Reference('liif')
    model = liif_of(reference)
    model.load_state_dict(from_liif(reference.state), strict=True)
    for call in ('2', '3'):
        expected = reference[f'output{call}/pred']
        size = (expected.shape[-2], expected.shape[-1])
        found = model.upscale(reference[f'input{call}/inp'], size, queries_per_chunk=100)
        assert_equal_within(found, reference, f'output{call}/pred')


@torch.inference_mode()
def test_liif_at_full_size_equals_the_published_one() -> None:
    """EDSR-baseline and a 4x256 MLP: 1 567 323 numbers, 24 of which the original stores and never uses."""
    reference = Reference('fullsize_edsr_baseline_liif')
    model = liif_of(reference)
    ours = {key.removeprefix('decoder.'): tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    assert reference.meta['n_params'] == sum(tensor.numel() for tensor in model.parameters()) + 24
    state = regenerated_state(reference.meta, ours.items())
    model.load_state_dict(from_liif(state), strict=True)
    image, coord, cell = (reference[f'input/{name}'] for name in ('inp', 'coord', 'cell'))
    colors = model.decoder.query(model.decoder.prepare(model.encoder(image), image), coord, cell[:, 0])
    # Random weights of this size put out up to 3; the original's own rounding noise is 5e-6.
    assert (colors - reference['output/rgb']).abs().max().item() <= reference.tolerance('output/rgb')
