"""How far a training run is."""

import dataclasses
import math
from typing import Any

from Orchestrators.Training.averages import RunningMean


@dataclasses.dataclass
class Progress:
    """Changes with every step, and goes into each checkpoint."""

    epoch: int = 0
    """Epochs finished, validation included."""

    batch: int = 0
    """Batches finished of the epoch under way."""

    samples_seen: int = 0
    """Samples learned from since the start."""

    best: float | None = None
    """Best mean of the validation so far, of the metric that the recipe's `best_by` names."""

    best_epoch: int = 0
    """Epoch that reached it."""

    validations_without_better: int = 0
    """Validations in a row, up to now, that were no better than the best."""

    pictures: int = 0
    """Training pictures in use."""

    pictures_skipped: int = 0
    """Training pictures left out as unusable."""

    averages: dict[str, RunningMean] = dataclasses.field(default_factory=dict)
    """Means of the logged scalars over the epoch under way."""

    def state_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return plain | {'averages': {name: mean.state_dict() for name, mean in self.averages.items()}}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> 'Progress':
        """The inverse of `state_dict`."""
        progress = cls(**(state | {'averages': {}}))
        for name, mean_state in state['averages'].items():
            progress.averages[name] = RunningMean()
            progress.averages[name].load_state_dict(mean_state)
        return progress

    def is_better(self, value: float | None, *, higher_is_better: bool = True) -> bool:
        """Whether a validation beats the best so far. A tie does not; what is missing or not a number never does."""
        if value is None or math.isnan(value):
            return False
        return self.best is None or (value > self.best if higher_is_better else value < self.best)

    def note(self, value: float | None, epoch: int, *, higher_is_better: bool) -> bool:
        """Take note of a validation; returns whether it is the best so far."""
        if not self.is_better(value, higher_is_better=higher_is_better):
            self.validations_without_better += 1
            return False
        self.best, self.best_epoch, self.validations_without_better = value, epoch, 0
        return True
