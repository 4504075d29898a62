from typing import Any

import pytest
import torch

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from Models.Encoders.RDN import RDN
from Models.published_checkpoints import from_liif, from_liif_encoder
from tests.reference_files import Reference, official_keys, regenerated_state

TINY = {'D': 3, 'C': 3, 'G': 8}
"""What the fixtures call T."""


@torch.inference_mode()
def test_features_equal_the_published_ones() -> None:
    reference = Reference('enc_rdn')
    encoder = RDN(**TINY, G0=12)
    encoder.load_state_dict(from_liif_encoder(reference.state))
    found = encoder(reference['input/inp'])
    assert (found - reference['output/feat']).abs().max() <= reference.tolerance('output/feat')


@pytest.mark.parametrize(
    ('name', 'encoder', 'decoder'),
    [('rdn_liif', {**TINY, 'G0': 10}, {'hidden': (32, 32, 32)}), ('fullsize_rdn_liif', {}, {})],
)
@torch.inference_mode()
def test_rdn_with_liif_equals_the_published_one(name: str, encoder: dict[str, Any], decoder: dict[str, Any]) -> None:
    reference = Reference(name)
    state = reference.state or regenerated_state(reference.meta, official_keys('rdn-liif'))
    model = build_super_resolver(EncoderType.RDN, DecoderType.LIIF, encoder, decoder)
    model.load_state_dict(from_liif(state))
    image, coord, cell = (reference[f'input/{key}'] for key in ('inp', 'coord', 'cell'))
    found = model.decoder.query(model.decoder.prepare(model.encoder(image), image), coord, cell[:, 0])
    assert (found - reference['output/rgb']).abs().max() <= reference.tolerance('output/rgb')


def test_parameter_count_is_the_published_one() -> None:
    """Network B: 16 blocks of 8 layers that add 64 channels each; 21.97 M."""
    layers = sum(9 * 64 * (64 + 64 * layer) + 64 for layer in range(8))
    fusion = 64 * (64 + 8 * 64) + 64
    conv = 9 * 64 * 64 + 64
    by_hand = (9 * 3 * 64 + 64) + conv + 16 * (layers + fusion) + (16 * 64 * 64 + 64) + conv
    assert sum(parameter.numel() for parameter in RDN().parameters()) == by_hand == 21_973_952


def test_network_a_and_single_letters_can_be_chosen() -> None:
    encoder = RDN('A', D=2, G0=8)
    assert len(encoder.RDBs) == 2
    assert encoder.state_dict()['RDBs.0.LFF.weight'].shape == (8, 8 + 6 * 32, 1, 1)


def test_gradient_reaches_every_parameter() -> None:
    encoder = RDN(D=2, C=2, G=4, G0=6, kernel_size=5)
    encoder(torch.rand(1, 3, 6, 5)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in encoder.parameters())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'config': 'C'}, "config must be 'A' or 'B', got 'C'"),
        ({'D': 0}, 'D, C, G and G0 must be at least 1, got 0, 8, 64 and 64'),
        ({'kernel_size': 4}, 'kernel_size must be odd, got 4'),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RDN(**options)
