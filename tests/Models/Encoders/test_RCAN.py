from typing import Any

import pytest
import torch

from Models.Encoders.RCAN import RCAN


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
