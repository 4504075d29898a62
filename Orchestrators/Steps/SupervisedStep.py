"""What all training of one network by true colors has in common: compare, check, update."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from Datasets.TrainingCrops import TrainingBatch
from Models.SuperResolver import SuperResolver
from Orchestrators.Steps.TrainingStep import TrainingStep
from Utilities.schedules import Schedule


class SupervisedStep(TrainingStep):
    """One network, one optimizer; the loss is the subclass's.

    Args:
        network: what learns.
        optimizer: changes it.
        make_schedule: from an epoch's batches to the schedule of the optimizer.
    """

    schedule: Schedule

    def __init__(self, network: SuperResolver, optimizer: Optimizer, make_schedule: Callable[[int], Schedule]) -> None:
        self.network = network
        self.optimizer = optimizer
        self._make_schedule = make_schedule

    @abstractmethod
    def compare(self, batch: TrainingBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and detached scalars for the log."""

    def start(self, batches_per_epoch: int) -> None:
        self.schedule = self._make_schedule(batches_per_epoch)

    def run(self, batch: TrainingBatch) -> dict[str, Tensor]:
        self.network.train()
        loss, scalars = self.compare(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.get_total_norm(
            [parameter.grad for parameter in self.network.parameters() if parameter.grad is not None]
        )
        # One look at both, before the weights change: a number that is not finite must never reach them.
        if not torch.isfinite(loss + norm):
            raise FloatingPointError(f'loss is {loss.item()}, norm of the gradient is {norm.item()}')
        self.optimizer.step()
        self.schedule.end_batch()
        return {'loss': loss.detach(), **scalars}

    def end_epoch(self, score: float | None) -> None:
        self.schedule.end_epoch(score)

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
