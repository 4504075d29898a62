"""Schedules of the learning rate, as values: `schedule = Cosine(minimum_rate=1e-6, warmup=5)`.

What each says, `Orchestrators/Steps/optimization.py` does. A schedule is chosen for a learning rate and a number of
epochs, which stay settings of their own; lengths inside of it are counted in epochs, or `counted='updates'`.
"""

from dataclasses import KW_ONLY
from typing import Annotated, ClassVar, Literal, TypeAlias

from Configuration.FrozenConfiguration import Count, Range, Value

_Rate = Annotated[float, Range(0, 10)]


class BaseSchedule(Value):
    """What all schedules have: a linear warm-up before them, and the unit of their lengths."""

    decisive: ClassVar[tuple[str, ...]] = ()
    """Settings of a run that the rates depend on, and that so may not change when it is resumed."""

    _: KW_ONLY

    warmup: Annotated[int, Range(0)] = 0
    """Epochs, or updates, of a linear warm-up before the schedule, which begins after them and ends with the run."""

    warmup_start: Annotated[float, Range(1e-6, 1)] = 0.1
    """Where the warm-up begins, as a part of the rate that it leads to."""

    counted: Literal['epochs', 'updates'] = 'epochs'
    """Unit of the lengths. Counted in epochs, rates change between epochs (those of OneCycle and Cyclic after each
    update all the same); in updates, after each update. Papers that count iterations mean updates."""


class Constant(BaseSchedule):
    """The learning rate as it is."""


class MultiStep(BaseSchedule):
    """Multiplied by `gamma` after each milestone."""

    milestones: tuple[Count, ...]
    """Epochs, or updates, of the run, the warm-up included."""

    gamma: Annotated[float, Range(0, 1)] = 0.5

    def check(self) -> None:
        """Refuse milestones that do not rise or come too early."""
        super().check()
        found = self.milestones
        if not found:
            raise ValueError('milestones must hold at least one, got none: write schedule = Constant().')
        if list(found) != sorted(set(found)):
            raise ValueError(f'milestones must rise, got {found}, not {tuple(sorted(set(found)))}.')
        if found[0] <= self.warmup:
            raise ValueError(f'milestones must lie after the warm-up of {self.warmup} {self.counted}, got {found}.')


class Cosine(BaseSchedule):
    """Half a cosine wave from the learning rate to `minimum_rate`, which it would reach where the run ends."""

    decisive = ('epochs',)

    minimum_rate: _Rate = 0.0


class CosineRestarts(BaseSchedule):
    """SGDR: half a cosine wave, over and over again (Loshchilov, Hutter, ICLR 2017, https://arxiv.org/abs/1608.03983)."""

    first_period: Count = 50
    """Epochs, or updates, from the learning rate down to `minimum_rate` for the first time, the paper's T_0. 50: what
    the study arXiv 2601.17723 has in epochs."""

    growth: Count = 1
    """Length of each period over that of the one before, the paper's T_mult."""

    minimum_rate: _Rate = 0.0


class OneCycle(BaseSchedule):
    """Up to the learning rate in the first three tenths of the run and then down to nearly nothing.

    Smith, Topin 2017, https://arxiv.org/abs/1708.07120, with torch's numbers: 1/25 and 1/250 000 at the ends.
    """

    decisive = ('epochs',)


class Cyclic(BaseSchedule):
    """From `minimum_rate` straight up to the learning rate and down again, over and over again.

    Smith, WACV 2017, https://arxiv.org/abs/1506.01186.
    """

    period: Count = 10
    """Epochs, or updates, from one lowest rate to the next. 10 epochs are within the 4 to 20 that the paper advises."""

    minimum_rate: _Rate = 0.0


class ReduceOnPlateau(BaseSchedule):
    """Multiplied by `gamma` when more than `patience` validations in a row were no better, by `best_by`."""

    decisive = ('validate_every',)

    gamma: Annotated[float, Range(0, 1)] = 0.5

    patience: Annotated[int, Range(0)] = 10
    """Validations in a row that may bring nothing new before the rate falls. 10: torch's. Never counted in updates."""

    minimum_rate: _Rate = 0.0

    def check(self) -> None:
        """Refuse a factor that changes nothing."""
        super().check()
        if self.gamma == 1:
            raise ValueError('gamma must be below 1, such as 0.5, got 1: the rate would never fall.')


Schedule: TypeAlias = Constant | MultiStep | Cosine | CosineRestarts | OneCycle | Cyclic | ReduceOnPlateau
