from typing import Any

import pytest
import torch

from Models.Encoders.RDN import RDN

"""What the fixtures call T."""


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
