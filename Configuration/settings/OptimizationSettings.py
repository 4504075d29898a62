import dataclasses
from typing import Annotated

from Configuration.FrozenConfiguration import Count, Range
from Configuration.optimizers import Adam, Optimizer
from Configuration.schedules import MultiStep, Schedule
from Configuration.settings.RunSettings import RunSettings


class OptimizationSettings(RunSettings):
    """How the weights come to be what they are, whatever the network is for."""

    batch_size: Count = 32
    """Samples per step. 32: the study's."""

    learning_rate: Annotated[float, Range(1e-12, 10)] = 4e-4
    """The optimizer's step size, before the schedule changes it. 4e-4: the study's."""

    optimizer: Optimizer = Adam()
    """What makes an update of the gradients. Adam with its defaults, as LIIF and the study train."""

    schedule: Schedule = MultiStep((20, 40, 60, 80))
    """How the learning rate changes. After epochs 20, 40, 60 and 80 it is halved: the study's."""

    accumulate: Count = 1
    """Batches whose gradients make one update: as `batch_size` times as large, in the memory of one batch. Each sample
    counts the same; the last update of an epoch takes what is left. Schedules that go on per batch then go on per
    update. 1: each batch is an update, as all protocols here have it."""

    clip_gradient: Annotated[float, Range(1e-6, 1e6)] | None = None
    """Largest norm of the gradient of all weights together; a longer one is shortened to it. None: never, as LIIF and
    the study train."""

    ema_decay: Annotated[float, Range(0.5, 0.999999)] | None = None
    """Validate, save and use a moving average of the weights, buffers included, that keeps this share of itself at each
    update, such as 0.999; the weights that learn are saved beside it. It begins as the initial weights, which 3000
    updates at 0.999 bring down to 5 %. None: the weights themselves, as LIIF and the study train."""

    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    """Seed of the initial weights, the order and the samples."""

    start_from: str | None = None
    """Checkpoint whose weights a new run begins with, such as a converted official one, to be tuned further. Only the
    weights are taken; the network must be the same. None: fresh weights."""

    @property
    def may_change_on_resume(self) -> tuple[str, ...]:
        """The fields of `RunSettings` without those that the learning rates depend on."""
        names = (field.name for field in dataclasses.fields(RunSettings))
        return tuple(name for name in names if name not in self.schedule.decisive)

    def check(self) -> None:
        """Refuse a schedule that does not fit the run."""
        super().check()
        schedule = self.schedule
        lowest = getattr(schedule, 'minimum_rate', 0.0)
        if lowest > self.learning_rate:
            raise ValueError(
                f'minimum_rate of the schedule must be at most learning_rate, {self.learning_rate:g}, got {lowest:g}.'
            )
        if schedule.counted == 'epochs' and schedule.warmup >= self.epochs:
            raise ValueError(
                f'warmup of the schedule must be less than epochs, got {schedule.warmup} and {self.epochs}: '
                'the warm-up would never end.'
            )
