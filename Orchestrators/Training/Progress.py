"""How far a training run is."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from Orchestrators.Training.averages import RunningMean
from Orchestrators.Training.Validated import Metric

Identity = dict[str, list[tuple[str, str]]]
"""Names and fingerprints of data, in order, by what they are for: `{'training pictures': [('0001.png', '...')]}`."""


@dataclasses.dataclass
class Progress:
    """Changes with every step, and goes into each checkpoint."""

    epoch: int = 0
    """Epochs finished, validation included."""

    batch: int = 0
    """Batches finished of the epoch under way."""

    samples_seen: int = 0
    """Samples learned from since the start."""

    best: list[float] | None = None
    """Values of the deciding metrics in the best epoch so far."""

    best_epoch: int = 0
    """Epoch that reached them."""

    validations_without_better: int = 0
    """Validations in a row, up to now, that were no better than the best."""

    data: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What the run learns from, as its pipeline's `identity` has it; in older files numbers of pictures."""

    parent: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Of a branch: the checkpoint that it began with, by `file`, `epoch`, `samples_seen`, `weights` (their hash), and
    `differs`, the settings that are other than its."""

    averages: dict[str, RunningMean] = dataclasses.field(default_factory=dict)
    """Means of the logged scalars over the epoch under way."""

    def state_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return plain | {'averages': {name: mean.state_dict() for name, mean in self.averages.items()}}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> 'Progress':
        """The inverse of `state_dict`."""
        progress = cls(**({**state} | {'averages': {}}))
        for name, mean_state in state['averages'].items():
            progress.averages[name] = RunningMean()
            progress.averages[name].load_state_dict(mean_state)
        return progress

    def is_better(self, values: Sequence[float | None], metrics: Sequence[Metric]) -> bool:
        """Whether a validation beats the best so far, in each of the metrics that decide.

        A tie is not better; what is missing or not a number never is.
        """
        found = [value for value in values if value is not None and not math.isnan(value)]
        if len(found) < len(values):
            return False
        return self.best is None or all(
            value > before if metric.higher_is_better else value < before
            for value, before, metric in zip(found, self.best, metrics, strict=True)
        )

    def note(self, values: Sequence[float | None], epoch: int, metrics: Sequence[Metric]) -> bool:
        """Take note of a validation; returns whether it is the best so far."""
        if not self.is_better(values, metrics):
            self.validations_without_better += 1
            return False
        self.best = [value for value in values if value is not None]
        self.best_epoch, self.validations_without_better = epoch, 0
        return True

    def describe_best(self, metrics: Sequence[Metric]) -> str:
        """`best PSNR 31.412 dB in epoch 7`."""
        if self.best is None:
            return 'no best'
        values = [
            f'{metric.name} {value:.{metric.decimals}f} {metric.unit}'.rstrip()
            for metric, value in zip(metrics, self.best, strict=True)
        ]
        return f'best {", ".join(values)} in epoch {self.best_epoch}'
