from typing import Any

import pytest
import torch

from Models.Encoders.RCAN import RCAN
from Models.published_checkpoints import from_liif_encoder
from tests.reference_files import Reference, official_keys, regenerated_state


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('enc_rcan', {'n_resgroups': 2, 'n_resblocks': 2, 'n_feats': 16, 'reduction': 4}),
        ('fullsize_rcan_encoder', {}),
    ],
)
@torch.inference_mode()
def test_features_equal_the_published_ones(name: str, options: dict[str, int]) -> None:
    reference = Reference(name)
    encoder = RCAN(**options)
    state = reference.state or regenerated_state(reference.meta, official_keys('rcan-encoder'))
    encoder.load_state_dict(from_liif_encoder(state))
    found = encoder(reference['input/inp'])
    assert (found - reference['output/feat']).abs().max() <= reference.tolerance('output/feat')


def test_parameter_count_is_the_published_one() -> None:
    """The original's number holds 24 constants of a mean shift that it never applies."""
    published = Reference('fullsize_rcan_encoder').meta['n_params']
    assert sum(parameter.numel() for parameter in RCAN().parameters()) == published - 24


def test_residual_scale_scales_each_block() -> None:
    encoder = RCAN(1, 1, 4, 2, res_scale=0.5)
    features = torch.rand(1, 4, 5, 5)
    block = encoder.body[0].body[0]
    torch.testing.assert_close(block(features), features + 0.5 * block.body(features))


def test_gradient_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    encoder = RCAN(2, 2, 8, 2)
    encoder(torch.rand(2, 3, 6, 5)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in encoder.parameters())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'n_resgroups': -1}, 'n_resgroups and n_resblocks must be at least 0, got -1 and 20'),
        ({'n_feats': 8}, 'reduction must be from 1 to n_feats, got 16 and n_feats 8'),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RCAN(**options)
