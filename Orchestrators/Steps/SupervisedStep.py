"""What all training of one network by true colors has in common: compare, check, update."""

import contextlib
import warnings
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from Datasets.TrainingCrops import TrainingBatch
from Models.SuperResolver import SuperResolver
from Orchestrators.Steps.schedules import Schedule
from Orchestrators.Steps.StepSettings import StepSettings
from Orchestrators.Steps.TrainingStep import TrainingStep
from Orchestrators.Steps.Updater import Updater
from Orchestrators.Steps.WeightAverage import WeightAverage
from Utilities.distributed import ALONE, Ranks

_PLAIN = StepSettings()


class SupervisedStep(TrainingStep):
    """One network, one optimizer; the loss is the subclass's.

    Args:
        network: what learns.
        optimizer: changes it.
        make_schedule: from an epoch's updates to the schedule of the optimizer.
        settings: how it computes and updates.
        ranks: the processes that learn together, each from its part of every batch.
    """

    schedule: Schedule

    def __init__(
        self,
        network: SuperResolver,
        optimizer: Optimizer,
        make_schedule: Callable[[int], Schedule],
        settings: StepSettings = _PLAIN,
        ranks: Ranks = ALONE,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self._make_schedule = make_schedule
        self._settings = settings
        self._ranks = ranks
        self._updater = Updater(network, optimizer, settings, ranks)
        self._average: WeightAverage | None = None
        self._batch = 0
        """Batches learned from in the epoch under way."""
        if settings.channels_last:
            network.encoder.to(memory_format=torch.channels_last)
        # It shares the weights, and leaves the network itself as it is, for validation.
        self._learner = self._compiled(network)
        self._shared: DistributedDataParallel | None = None

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
        if not self._ranks.is_alone:
            self._shared = _shared(self.network)
            self._learner = self._compiled(self._shared)
        self.schedule = self._make_schedule(-(-batches_per_epoch // accumulate))
        if self._settings.ema_decay is not None:
            self._average = WeightAverage(self.network, self._settings.ema_decay)

    def run(self, batch: TrainingBatch, samples: int | None = None) -> dict[str, Tensor]:
        self.network.train()
        number = self._batch + 1
        is_last = number == self._batches_per_epoch
        count = batch.lr.shape[0] if samples is None else samples
        share = 1.0 if samples is None else len(self._ranks.part_of(samples)) / samples
        with self._separate(not self._updater.completes(number, is_last=is_last)):
            loss, scalars = self.compare(batch)
            self._batch = number
            means = self._ranks.mean_of({'loss': loss.detach(), **scalars}, share)
            part = loss if self._ranks.is_alone else loss * (share * self._ranks.size)
            is_complete = self._updater.learn(part, count, batch=number, is_last=is_last, total=means['loss'])
        if is_complete:
            if self._average is not None:
                self._average.update()
            self.schedule.end_batch()
        return means

    def settle(self) -> None:
        self._updater.settle()

    def end_epoch(self, score: float | None) -> None:
        self._batch = 0
        self.schedule.end_epoch(score)

    def _compiled(self, module: nn.Module) -> nn.Module:
        return torch.compile(module) if self._settings.compile else module  # type: ignore[return-value]

    def _separate(self, separate: bool) -> contextlib.AbstractContextManager[None]:  # noqa: FBT001
        if self._shared is None or not separate:
            return contextlib.nullcontext()
        return self._shared.no_sync()

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


def _shared(network: SuperResolver) -> DistributedDataParallel:
    """The network, whose gradients become the means over all processes as they are made."""
    device = network.mean.device
    with warnings.catch_warnings():
        # Newer versions of torch have another name for `broadcast_buffers`, which the older ones do not know.
        warnings.simplefilter('ignore', FutureWarning)
        return DistributedDataParallel(
            network,
            device_ids=[device.index] if device.type == 'cuda' else None,
            # No network has buffers that change.
            broadcast_buffers=False,
            find_unused_parameters=network.decoder.may_leave_weights_idle,
        )
