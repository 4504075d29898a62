"""Steps and batches that take milliseconds."""

import functools
import json
from pathlib import Path
from typing import Any

import torch

from Configuration import Constant
from Datasets.TrainingCrops import TrainingBatch
from Losses.Own import Own
from Losses.PixelL1 import PixelL1
from Losses.WeightedSum import WeightedSum
from Models import DecoderType, EncoderType, SamplingType
from Models.Decoders import LIIF
from Orchestrators.Steps.Learner import Learner, LearnerSettings, Share
from Orchestrators.Steps.optimization import run_schedule
from Orchestrators.Steps.ReconstructionStep import ReconstructionStep
from tests.tiny_networks import tiny
from Utilities.Checkpoint import content_hash
from Utilities.coordinates import coordinates_of, pixel_centers


def tiny_batch(samples: int = 2, *, seed: int = 0, patch: int = 4, scale: int = 2) -> TrainingBatch:
    """All pixels of random pictures, so that every decoder takes it."""
    random = torch.Generator().manual_seed(seed)
    side = patch * scale
    coord = coordinates_of(pixel_centers(side), pixel_centers(side))
    return TrainingBatch(
        lr=torch.rand(samples, 3, patch, patch, generator=random),
        coord=coord.expand(samples, -1, -1),
        cell=torch.full((samples, 2), 2 / side),
        hr=torch.rand(samples, side**2, 3, generator=random),
    )


class TinyStep(ReconstructionStep):
    """Counts the batches of its epoch itself, as the loop would."""

    def start(self, batches_per_epoch: int) -> None:
        self.batches, self.done = batches_per_epoch, 0
        super().start(batches_per_epoch)

    def learn_from(self, batch: TrainingBatch, share: Share | None = None) -> dict[str, torch.Tensor]:
        self.done += 1
        samples = len(batch.lr)
        return super().learn_from(batch, share or Share(1, self.done, self.batches, samples, samples))

    def end_epoch(self, score: float | None) -> None:
        self.done = 0
        super().end_epoch(score)


def tiny_step(
    *,
    decoder: DecoderType = DecoderType.LIIF,
    encoder: EncoderType = EncoderType.EDSR,
    optimizer: type[torch.optim.Optimizer] = torch.optim.Adam,
    fused: bool | None = None,
    batches: int = 4,
    rate: float = 0.01,
    device: str = 'cpu',
    **settings: Any,
) -> TinyStep:
    """A step of fresh, seeded weights, that was told that an epoch has so many batches."""
    network = tiny(encoder, decoder).train().to(device)
    chosen = optimizer(network.parameters(), lr=rate, fused=fused)
    learner = Learner(
        network,
        chosen,
        lambda updates: run_schedule(Constant(), chosen, epochs=100, updates_per_epoch=updates),
        LearnerSettings(**settings),
    )
    losses = {'PixelL1': PixelL1(), 'Own': Own()}
    objective = WeightedSum([(name, losses[name], weight) for name, weight in network.decoder.published_losses])
    step = TinyStep(learner, objective, SamplingType.Scattered)
    step.start(batches)
    return step


def weights_of(step: TinyStep) -> dict[str, torch.Tensor]:
    """A copy of the weights that learn."""
    return {name: weight.detach().clone() for name, weight in step.learner.network.named_parameters()}


def compare_compiled(answer: Path) -> None:
    """For a process of its own, as torch.compile does not get through the checks of shapes that tests have."""
    torch.set_num_threads(1)
    graphs = []

    def leave_as_it_is(graph: torch.fx.GraphModule, _: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    # What is compiled is never computed in pieces, which round otherwise.
    LIIF.can_blend = lambda *_: False
    torch.compile = functools.partial(torch.compile, backend=leave_as_it_is)  # type: ignore[assignment]
    step, plain = tiny_step(compile=True), tiny_step()
    losses = [[float(each.learn_from(tiny_batch(seed=seed))['loss']) for seed in range(2)] for each in (step, plain)]
    while_training = len(graphs)
    step.used.eval().upscale(torch.rand(1, 3, 5, 5), (9, 9))
    hashes = [content_hash(each.state()['network']) for each in (step, plain)]
    found = {'losses': losses, 'hashes': hashes, 'while_training': while_training, 'at_the_end': len(graphs)}
    answer.write_text(json.dumps(found))
