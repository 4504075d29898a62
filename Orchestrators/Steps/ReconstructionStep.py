"""Supervised training: predict the asked colors, compare, update."""

from typing import Any

from torch import Tensor
from torch.nn import functional

from Datasets.TrainingCrops import TrainingBatch, arrange_pixels
from Losses.WeightedSum import WeightedSum
from Models.SamplingType import SamplingType
from Orchestrators.Steps.Learner import Learner, Share
from Orchestrators.Steps.TrainingStep import TrainingStep
from Utilities.distributed import ALONE, Ranks

NAME = 'super_resolver'
"""Of the learner, in checkpoints."""


class ReconstructionStep(TrainingStep[TrainingBatch]):
    """One network, one objective.

    Args:
        learner: the network.
        objective: compares its colors with the true ones; the decoder's own loss may be a term of it.
        sampling: how the asked pixels lie.
        ranks: the processes that learn together.
    """

    def __init__(self, learner: Learner, objective: WeightedSum, sampling: SamplingType, ranks: Ranks = ALONE) -> None:
        super().__init__({NAME: learner}, ranks)
        self.learner = learner
        self.objective = objective
        self._sampling = sampling

    def run(self, batch: TrainingBatch, share: Share) -> dict[str, Tensor]:
        loss, scalars = self.compare(batch)
        self.learner.learn(loss, share)
        return {'loss': loss, **scalars}

    def compare(self, batch: TrainingBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and scalars for the log."""
        colors, own = self._answer(batch)
        hr = arrange_pixels(self._sampling, batch.hr)
        sr = None if colors is None else arrange_pixels(self._sampling, colors)
        total, parts = self.objective(sr, hr, own)
        seen = {} if sr is None else {'mse': functional.mse_loss(sr.detach().clamp(0, 1), hr)}
        return total, {**seen, **parts}

    def _answer(self, batch: TrainingBatch) -> tuple[Tensor | None, Tensor | None]:
        """The asked colors and the decoder's own loss, each if the objective needs it."""
        asked: list[Any] = [batch.lr, batch.coord, batch.cell]
        named = {} if batch.condition is None else {'condition': batch.condition}
        if not self.objective.needs_own:
            return self.learner(*asked, **named), None
        if not self.objective.needs_colors:
            return None, self.learner(*asked, batch.hr, **named)
        return self.learner(*asked, batch.hr, with_colors=True, **named)
