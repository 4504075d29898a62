"""Optimizers and schedules of the learning rate at work: torch's, with a warm-up before any schedule.

Only those of torch's whose rates do not depend on the way there are used, so that a resumed run has the same rates to
the last bit; `CosineAnnealingLR`, for one, computes each rate from the one before. Each function sets the rate that its
schedule begins with.
"""

from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import (
    CosineAnnealingWarmRestarts,
    CyclicLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
)

from Configuration.optimizers import Adam, AdamW, Optimizer
from Configuration.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Cyclic,
    MultiStep,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
)


def build_optimizer(optimizer: Optimizer, network: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """torch's, of all the network's weights."""
    device = next(network.parameters()).device
    # On a GPU the fused one, which can skip an update there; on a CPU it saves 0.4 % of a step and rounds otherwise.
    fused = True if device.type == 'cuda' else None
    match optimizer:
        case Adam():
            kind: type[torch.optim.Adam | torch.optim.AdamW] = torch.optim.Adam
        case AdamW():
            kind = torch.optim.AdamW
    return kind(
        network.parameters(),
        lr=learning_rate,
        betas=optimizer.betas,
        eps=optimizer.epsilon,
        weight_decay=optimizer.weight_decay,
        fused=fused,
    )


class RunningSchedule:
    """The learning rate of a run: a linear warm-up, if there is one, and then what a scheduler says.

    Args:
        scheduler: just built, so that the optimizer has the rate that it begins with.
        per_update: it goes on after each update instead of each epoch. The warm-up does as well.
        warmup_steps: updates or epochs of the warm-up.
        warmup_start: where the warm-up begins, as a part of the scheduler's first rate.
    """

    def __init__(
        self,
        scheduler: LRScheduler,
        *,
        per_update: bool = False,
        warmup_steps: int = 0,
        warmup_start: float = 0.1,
    ) -> None:
        self._scheduler = scheduler
        self._per_update = per_update
        self._warmup_steps = warmup_steps
        self._warmup_start = warmup_start
        self._first_rates = [group['lr'] for group in scheduler.optimizer.param_groups]
        self._steps = 0
        if warmup_steps:
            self._warm_up()

    def end_batch(self) -> None:
        """After each update of the weights."""
        if self._per_update:
            self._step()

    def end_epoch(self, score: float | None) -> None:
        """After each epoch.

        Args:
            score: of its validation, higher is better; None if there was none.
        """
        if not self._per_update:
            self._step()
        # Whatever the warm-up counts, a plateau is one of validations.
        if isinstance(self._scheduler, ReduceLROnPlateau) and self._steps > self._warmup_steps and score is not None:
            self._scheduler.step(score)

    def state_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint. The rate itself is part of the optimizer's."""
        return {'steps': self._steps, 'scheduler': self._scheduler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._steps = state['steps']
        self._scheduler.load_state_dict(state['scheduler'])
        # Else torch would warn of a schedule that goes on before the first update, which was before the restart.
        self._scheduler.optimizer._opt_called = True  # type: ignore[attr-defined]

    def _step(self) -> None:
        self._steps += 1
        if self._steps <= self._warmup_steps:
            self._warm_up()
        elif not isinstance(self._scheduler, ReduceLROnPlateau):
            self._scheduler.step()

    def _warm_up(self) -> None:
        done = self._steps / self._warmup_steps
        part = self._warmup_start + (1 - self._warmup_start) * done if done < 1 else 1.0
        for group, rate in zip(self._scheduler.optimizer.param_groups, self._first_rates, strict=True):
            group['lr'] = part * rate


def run_schedule(
    schedule: Schedule, optimizer: torch.optim.Optimizer, *, epochs: int, updates_per_epoch: int
) -> RunningSchedule:
    """Begin a schedule, whose lengths become steps: epochs, or updates where the rate changes with each.

    Args:
        schedule: what a recipe says.
        optimizer: has the run's learning rate, and is given the schedule's first one.
        epochs: of the run.
        updates_per_epoch: of the weights.

    Raises:
        ValueError: for a warm-up that takes the whole run.
    """
    per_update = schedule.counted == 'updates' or isinstance(schedule, OneCycle | Cyclic)
    unit = updates_per_epoch if per_update and schedule.counted == 'epochs' else 1
    warmup = schedule.warmup * unit
    rest = epochs * (updates_per_epoch if per_update else 1) - warmup
    if rest < 1:
        raise ValueError(
            f'warmup of the schedule must be less than {epochs * updates_per_epoch}, the updates of the run, got '
            f'{schedule.warmup}: the warm-up would never end.'
        )
    match schedule:
        case Constant():
            scheduler = multi_step(optimizer, (), 1)
        case MultiStep():
            scheduler = multi_step(optimizer, tuple(each - warmup for each in schedule.milestones), schedule.gamma)
        case Cosine():
            scheduler = cosine(optimizer, rest, schedule.minimum_rate)
        case CosineRestarts():
            scheduler = cosine_restarts(optimizer, schedule.first_period, schedule.growth, schedule.minimum_rate)
        case OneCycle():
            scheduler = one_cycle(optimizer, rest)
        case Cyclic():
            scheduler = cyclic(optimizer, schedule.period * unit, schedule.minimum_rate)
        case ReduceOnPlateau():
            scheduler = reduce_on_plateau(optimizer, schedule.gamma, schedule.patience, schedule.minimum_rate)
    return RunningSchedule(scheduler, per_update=per_update, warmup_steps=warmup, warmup_start=schedule.warmup_start)


def multi_step(optimizer: torch.optim.Optimizer, milestones: tuple[int, ...], gamma: float) -> LRScheduler:
    """Multiply the rate by `gamma` after each step named in `milestones`."""
    return MultiStepLR(optimizer, milestones=list(milestones), gamma=gamma)


def cosine(optimizer: torch.optim.Optimizer, steps: int, minimum: float) -> LRScheduler:
    """Half a cosine wave from the optimizer's rate to `minimum`, which it would reach after `steps` steps."""
    return CosineAnnealingWarmRestarts(optimizer, T_0=steps, eta_min=minimum)


def cosine_restarts(optimizer: torch.optim.Optimizer, first: int, growth: int, minimum: float) -> LRScheduler:
    """As `cosine`, over again after `first` steps, and then after periods each `growth` times as long as the last.

    SGDR: Loshchilov, Hutter, ICLR 2017, https://arxiv.org/abs/1608.03983.
    """
    return CosineAnnealingWarmRestarts(optimizer, T_0=first, T_mult=growth, eta_min=minimum)


def one_cycle(optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
    """From 1/25 of the optimizer's rate up to it in three tenths of `steps`, then down to 1/250 000 of it.

    Smith, Topin 2017, https://arxiv.org/abs/1708.07120, with torch's numbers; momentum stays as it is.
    """
    (peak,) = {group['lr'] for group in optimizer.param_groups}
    return OneCycleLR(optimizer, max_lr=peak, total_steps=steps, cycle_momentum=False)


def cyclic(optimizer: torch.optim.Optimizer, period: int, minimum: float) -> LRScheduler:
    """From `minimum` linearly up to the optimizer's rate and down again, once in `period` steps.

    Smith, WACV 2017, https://arxiv.org/abs/1506.01186; momentum stays as it is.
    """
    (peak,) = {group['lr'] for group in optimizer.param_groups}
    # Half steps are fine, though torch's annotation does not say so.
    half: Any = period / 2
    return CyclicLR(optimizer, base_lr=minimum, max_lr=peak, step_size_up=half, cycle_momentum=False)


def reduce_on_plateau(optimizer: torch.optim.Optimizer, gamma: float, patience: int, minimum: float) -> LRScheduler:
    """Multiply the rate by `gamma` when more than `patience` validations in a row have not beaten the best score."""
    return ReduceLROnPlateau(optimizer, mode='max', factor=gamma, patience=patience, threshold=0, min_lr=minimum, eps=0)
