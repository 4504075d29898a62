"""How far a training run is."""

import dataclasses
from typing import Any

from Utilities.averages import RunningMean


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
    """Highest mean validation PSNR so far, in dB."""

    best_epoch: int = 0
    """Epoch that reached it."""

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

    def is_better(self, psnr: float | None) -> bool:
        """Whether a validation beats the best so far. What is missing or not a number never does."""
        return psnr is not None and psnr == psnr and (self.best is None or psnr > self.best)  # noqa: PLR0124
