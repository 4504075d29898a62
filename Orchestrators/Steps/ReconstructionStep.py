"""Supervised training: predict the asked colors, compare, update."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional
from torch.optim import Optimizer

from Datasets.TrainingCrops import TrainingBatch, arrange_pixels
from Losses.WeightedSum import WeightedSum
from Models.SamplingType import SamplingType
from Models.SuperResolver import SuperResolver
from Orchestrators.Steps.schedules import Schedule
from Orchestrators.Steps.StepSettings import StepSettings
from Orchestrators.Steps.SupervisedStep import SupervisedStep
from Utilities.distributed import ALONE, Ranks

_PLAIN = StepSettings()


class ReconstructionStep(SupervisedStep):
    """One network, one objective, one optimizer."""

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        network: SuperResolver,
        objective: WeightedSum,
        sampling: SamplingType,
        optimizer: Optimizer,
        make_schedule: Callable[[int], Schedule],
        settings: StepSettings = _PLAIN,
        ranks: Ranks = ALONE,
    ) -> None:
        super().__init__(network, optimizer, make_schedule, settings, ranks)
        self.objective = objective
        self._sampling = sampling

    def compare(self, batch: TrainingBatch) -> tuple[Tensor, dict[str, Tensor]]:
        sr = arrange_pixels(self._sampling, self.answer(batch))
        hr = arrange_pixels(self._sampling, batch.hr)
        total, parts = self.objective(sr, hr)
        return total, {'mse': functional.mse_loss(sr.detach().clamp(0, 1), hr), **parts}
