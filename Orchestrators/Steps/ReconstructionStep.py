"""Supervised training: predict the asked colors, compare, update."""

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from Datasets.TrainingCrops import TrainingBatch
from Losses.WeightedSum import WeightedSum
from Models.SuperResolver import SuperResolver
from Orchestrators.Steps.TrainingStep import TrainingStep


class ReconstructionStep(TrainingStep):
    """One network, one objective, one optimizer."""

    def __init__(
        self, network: SuperResolver, objective: WeightedSum, optimizer: Optimizer, schedule: LRScheduler
    ) -> None:
        self.network = network
        self.objective = objective
        self.optimizer = optimizer
        self.schedule = schedule

    def run(self, batch: TrainingBatch) -> dict[str, Tensor]:
        self.network.train()
        sr = self.network(batch.lr, batch.coord, batch.cell)
        total, parts = self.objective(sr, batch.hr)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = torch.nn.utils.get_total_norm(
            [parameter.grad for parameter in self.network.parameters() if parameter.grad is not None]
        )
        # One look at both, before the weights change: a number that is not finite must never reach them.
        if not torch.isfinite(total + norm):
            raise FloatingPointError(f'loss is {total.item()}, norm of the gradient is {norm.item()}')
        self.optimizer.step()
        mse = torch.nn.functional.mse_loss(sr.detach().clamp(0, 1), batch.hr)
        return {'loss': total.detach(), 'mse': mse, **parts}

    def end_epoch(self) -> None:
        self.schedule.step()

    @property
    def evaluated(self) -> SuperResolver:
        return self.network

    @property
    def learning_rate(self) -> float:
        return float(self.optimizer.param_groups[0]['lr'])

    def state(self) -> dict[str, dict[str, Any]]:
        return {
            'network': self.network.state_dict(),
            'optimizer': self.optimizer.state_dict(),
            'schedule': self.schedule.state_dict(),
        }

    def load_state(self, state: dict[str, dict[str, Any]]) -> None:
        self.network.load_state_dict(state['network'])
        self.optimizer.load_state_dict(state['optimizer'])
        self.schedule.load_state_dict(state['schedule'])
