"""Supervised training: predict the asked colors, compare, update."""

from torch import Tensor
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from Datasets.TrainingCrops import TrainingBatch
from Losses.WeightedSum import WeightedSum
from Models.SuperResolver import SuperResolver
from Orchestrators.Steps.SupervisedStep import SupervisedStep


class ReconstructionStep(SupervisedStep):
    """One network, one objective, one optimizer."""

    def __init__(
        self, network: SuperResolver, objective: WeightedSum, optimizer: Optimizer, schedule: LRScheduler
    ) -> None:
        super().__init__(network, optimizer, schedule)
        self.objective = objective

    def compare(self, batch: TrainingBatch) -> tuple[Tensor, dict[str, Tensor]]:
        sr = self.network(batch.lr, batch.coord, batch.cell)
        total, parts = self.objective(sr, batch.hr)
        return total, {'mse': functional.mse_loss(sr.detach().clamp(0, 1), batch.hr), **parts}
