"""Every encoder trains with every decoder."""

import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from Configuration import Options
from Datasets.TrainingCrops import TrainingBatch
from Models import DecoderType, EncoderType
from Orchestrators.Pipelines.SuperResolution import build_step
from Orchestrators.Steps.Learner import Share
from Orchestrators.Steps.TrainingStep import TrainingStep
from tests.tiny import TrainTiny
from tests.tiny_networks import DECODERS, ENCODERS

NEVER_LEARNS: Mapping[str, set[str]] = {
    # It adds the same to all of a window, which a softmax takes no notice of: what gradient there is, is rounding.
    'CLIT': {'decoder.pb_encoder.proj.bias'},
}
"""By decoder: parameters that no color depends on."""

PATCH, QUERIES = 12, 64


def batch(seed: int, scales: tuple[int, int]) -> TrainingBatch:
    """Two pictures of waves, each asked for some of its pixels at its own scale."""
    random = torch.Generator().manual_seed(seed)
    waves, phase = torch.rand(2, 2, 3, generator=random) * 6, torch.rand(2, 1, 3, generator=random) * 6

    def colors(coord: Tensor) -> Tensor:
        return 0.5 + 0.4 * torch.sin(coord @ waves + phase)

    grid = torch.cartesian_prod(torch.arange(PATCH), torch.arange(PATCH)).expand(2, -1, -1)
    side = torch.tensor(scales)[:, None, None] * PATCH
    coord = 2 * ((torch.rand(2, QUERIES, 2, generator=random) * side).floor() + 0.5) / side - 1
    lr = colors((2 * grid + 1) / PATCH - 1).transpose(1, 2).unflatten(2, (PATCH, PATCH))
    return TrainingBatch(lr, coord, (2 / side[:, 0]).expand(2, 2), colors(coord))


class Trained:
    """A pair after two steps: its weights, which ones have moved, and which ones had a gradient."""

    def __init__(self, encoder: EncoderType, decoder: DecoderType) -> None:
        recipe = TrainTiny(
            encoder=encoder,
            decoder=decoder,
            encoder_options=Options(ENCODERS.get(encoder.name, {})),
            decoder_options=Options(DECODERS.get(decoder.name, {})),
        )
        step = build_step(recipe, torch.device('cpu'))
        step.start(batches_per_epoch=2)
        network = step.used
        before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
        self.losses, self.gradient = [], dict.fromkeys(before, 0.0)
        for seed in range(2):
            self.losses.append(
                step.learn_from(
                    batch(seed, (2, 2) if decoder is DecoderType.Native else (2, 3)), Share(1, seed + 1, 2, 2, 2)
                )['loss']
            )
            self._add_gradients(step)
        self.state = network.state_dict()
        self.moved = {name for name, now in network.named_parameters() if not torch.equal(now, before[name])}

    def _add_gradients(self, step: TrainingStep[TrainingBatch]) -> None:
        for name, parameter in step.used.named_parameters():
            if parameter.grad is not None:
                self.gradient[name] += parameter.grad.norm().item()

    @property
    def learning(self) -> set[str]:
        return {name for name, norm in self.gradient.items() if norm > 0}


@pytest.mark.parametrize('encoder', EncoderType)
@pytest.mark.parametrize('decoder', DecoderType)
def test_a_pair_learns_and_learns_the_same_again(encoder: EncoderType, decoder: DecoderType) -> None:
    first, second = Trained(encoder, decoder), Trained(encoder, decoder)
    assert all(math.isfinite(loss) for loss in first.losses)
    assert first.gradient.keys() - first.learning <= NEVER_LEARNS.get(decoder.name, set())
    assert first.learning <= first.moved
    assert first.losses == second.losses
    assert all(torch.equal(first.state[key], second.state[key]) for key in first.state)
