"""A recipe's optimizer is torch's, with the numbers that it names; the formulas are written out here, in float64."""

import math

import pytest
import torch
from torch import nn

from Configuration import Adam, AdamW, TrainSimple
from Configuration.optimizers import Optimizer
from Orchestrators.Steps.optimization import build_optimizer

GRADIENTS = [(0.5, -2.0), (0.25, 1.0), (-1.0, 0.125)]


def weights_after(optimizer: Optimizer, rate: float) -> list[float]:
    network = nn.Module()
    network.register_parameter('weight', nn.Parameter(torch.tensor([1.0, -3.0], dtype=torch.float64)))
    made = build_optimizer(optimizer, network, rate)
    for gradient in GRADIENTS:
        network.weight.grad = torch.tensor(gradient, dtype=torch.float64)
        made.step()
    return network.weight.tolist()


def by_the_papers(optimizer: Optimizer, rate: float) -> list[float]:
    """Algorithm 1 of Kingma, Ba and algorithm 2 of Loshchilov, Hutter."""
    result = []
    for initial, gradients in zip((1.0, -3.0), zip(*GRADIENTS, strict=True), strict=True):
        weight, mean, square = initial, 0.0, 0.0
        for step, gradient in enumerate(gradients, 1):
            decay = optimizer.weight_decay
            total = gradient + decay * weight if isinstance(optimizer, Adam) else gradient
            weight -= rate * decay * weight if isinstance(optimizer, AdamW) else 0
            mean += (1 - optimizer.betas[0]) * (total - mean)
            square += (1 - optimizer.betas[1]) * (total**2 - square)
            unbiased = [
                average / (1 - beta**step) for average, beta in zip((mean, square), optimizer.betas, strict=True)
            ]
            weight -= rate * unbiased[0] / (math.sqrt(unbiased[1]) + optimizer.epsilon)
        result.append(weight)
    return result


@pytest.mark.parametrize(
    'optimizer',
    [Adam(), AdamW(), Adam((0.5, 0.9), epsilon=1e-2, weight_decay=0.3), AdamW((0.5, 0.9), weight_decay=0.3)],
    ids=repr,
)
def test_the_updates_are_those_of_the_papers(optimizer: Optimizer) -> None:
    assert weights_after(optimizer, 0.1) == pytest.approx(by_the_papers(optimizer, 0.1), rel=1e-12)


def test_the_default_is_what_all_recipes_were_trained_with() -> None:
    """State for state that of `torch.optim.Adam(weights, lr=…)`."""
    network = nn.Linear(2, 1)
    recipe = TrainSimple()
    found = build_optimizer(recipe.optimizer, network, recipe.learning_rate)
    plain = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, fused=None)
    assert type(found) is type(plain)
    assert found.state_dict() == plain.state_dict()
    assert found.defaults == plain.defaults


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'betas': (0.9, 1.0)}, r'Adam.betas must be a tuple of .* got \(0.9, 1.0\). Did you mean betas = \(0.9, 0.9'),
        ({'betas': 0.9}, 'Adam.betas must be a tuple of'),
        ({'epsilon': 0}, 'Adam.epsilon must be a finite number from 1e-30 to 1, got 0'),
        ({'eps': 1e-8}, "Adam has no setting 'eps'. Did you mean 'epsilon'"),
        ({'lr': 1e-4}, "Adam has no setting 'lr'. There are: betas, epsilon, weight_decay"),
    ],
)
def test_what_is_no_optimizer_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Adam(**settings)
    with pytest.raises(
        ValueError, match=r"optimizer must be one of Adam\(.*got 'AdamW'. Did you mean optimizer = AdamW"
    ):
        TrainSimple(optimizer='AdamW')  # type: ignore[arg-type]
