"""What all training of one network by true colors has in common: compare, check, update."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from Datasets.TrainingCrops import TrainingBatch
from Models.SuperResolver import SuperResolver
from Orchestrators.Steps.StepSettings import StepSettings
from Orchestrators.Steps.TrainingStep import TrainingStep
from Orchestrators.Steps.Updater import Updater
from Orchestrators.Steps.WeightAverage import WeightAverage
from Utilities.schedules import Schedule

_PLAIN = StepSettings()


class SupervisedStep(TrainingStep):
    """One network, one optimizer; the loss is the subclass's.

    Args:
        network: what learns.
        optimizer: changes it.
        make_schedule: from an epoch's updates to the schedule of the optimizer.
        settings: how it computes and updates.
    """

    schedule: Schedule

    def __init__(
        self,
        network: SuperResolver,
        optimizer: Optimizer,
        make_schedule: Callable[[int], Schedule],
        settings: StepSettings = _PLAIN,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self._make_schedule = make_schedule
        self._settings = settings
        self._updater = Updater(network, optimizer, settings)
        self._average: WeightAverage | None = None
        self._batch = 0
        """Batches learned from in the epoch under way."""
        if settings.channels_last:
            network.encoder.to(memory_format=torch.channels_last)
        # It shares the weights, and leaves the network itself as it is, for validation.
        self._learner = torch.compile(network) if settings.compile else network

    @abstractmethod
    def compare(self, batch: TrainingBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and detached scalars for the log."""

    def answer(self, batch: TrainingBatch, *hr: Tensor) -> Tensor:
        """What the network says to a batch, in float32, computed as the settings want it."""
        lr = batch.lr
        if self._settings.channels_last:
            lr = lr.contiguous(memory_format=torch.channels_last)
        dtype = self._settings.dtype
        with torch.autocast(lr.device.type, dtype, enabled=dtype != torch.float32):
            return self._learner(lr, batch.coord, batch.cell, *hr).float()

    def start(self, batches_per_epoch: int) -> None:
        accumulate = self._settings.accumulate
        if accumulate > batches_per_epoch:
            raise ValueError(
                f'accumulate must be at most {batches_per_epoch}, the batches of an epoch, got {accumulate}.'
            )
        self._batches_per_epoch = batches_per_epoch
        self.schedule = self._make_schedule(-(-batches_per_epoch // accumulate))
        if self._settings.ema_decay is not None:
            self._average = WeightAverage(self.network, self._settings.ema_decay)

    def run(self, batch: TrainingBatch) -> dict[str, Tensor]:
        self.network.train()
        loss, scalars = self.compare(batch)
        self._batch += 1
        is_last = self._batch == self._batches_per_epoch
        if self._updater.learn(loss, batch.lr.shape[0], batch=self._batch, is_last=is_last):
            if self._average is not None:
                self._average.update()
            self.schedule.end_batch()
        return {'loss': loss.detach(), **scalars}

    def settle(self) -> None:
        self._updater.settle()

    def end_epoch(self, score: float | None) -> None:
        self._batch = 0
        self.schedule.end_epoch(score)

    @property
    def evaluated(self) -> SuperResolver:
        return self.network if self._average is None else self._average.network

    @property
    def learning_rate(self) -> float:
        return float(self.optimizer.param_groups[0]['lr'])

    def state(self) -> dict[str, dict[str, Any]]:
        self.settle()
        step = {'batch': self._batch, **self._updater.state()}
        if self._average is not None:
            step['network'] = self.network.state_dict()
        return {
            'network': self.evaluated.state_dict(),
            'optimizer': self.optimizer.state_dict(),
            'schedule': self.schedule.state_dict(),
            'step': step,
        }

    def load_state(self, state: dict[str, dict[str, Any]]) -> None:
        step = state['step']
        self.evaluated.load_state_dict(state['network'])
        if self._average is not None:
            self.network.load_state_dict(step['network'])
        # How the update is computed follows from this device, not from the one that the file was written on.
        own = {'fused': self.optimizer.defaults.get('fused')}
        groups = [group | own for group in state['optimizer']['param_groups']]
        self.optimizer.load_state_dict(state['optimizer'] | {'param_groups': groups})
        self.schedule.load_state_dict(state['schedule'])
        self._updater.load_state(step)
        self._batch = step.get('batch', 0)
