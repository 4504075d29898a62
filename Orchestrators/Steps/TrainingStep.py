"""What every kind of training promises."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor

from Datasets.TrainingCrops import TrainingBatch
from Models.SuperResolver import SuperResolver


class TrainingStep(ABC):
    """Networks, losses, optimizers and schedules, and what one step does with them."""

    STATE_KEYS: ClassVar[tuple[str, ...]] = ('network', 'optimizer', 'schedule', 'step')

    @abstractmethod
    def start(self, batches_per_epoch: int) -> None:
        """Called once, before `run` and `load_state`, when it is known how long an epoch is.

        Raises:
            ValueError: for a setting that does not fit that length.
        """

    @abstractmethod
    def run(self, batch: TrainingBatch, samples: int | None = None) -> dict[str, Tensor]:
        """Learn from one batch; returns detached scalars for the log: `loss`, `mse` if colors are predicted, others.

        Args:
            batch: what this process has of it.
            samples: of the batch of all processes, of which the scalars then are; None: this is the whole batch.

        Raises:
            FloatingPointError: if the loss or a gradient is not finite, on a GPU possibly some batches later; the
                weights are left as they were before that batch.
        """

    @abstractmethod
    def settle(self) -> None:
        """Wait until it is known that all batches so far were sound.

        Raises:
            FloatingPointError: as `run`.
        """

    @abstractmethod
    def end_epoch(self, score: float | None) -> None:
        """What happens between epochs, such as a step of the learning-rate schedule.

        Args:
            score: of the epoch's validation, higher is better; None if there was none, or it has none.
        """

    @property
    @abstractmethod
    def evaluated(self) -> SuperResolver:
        """The network that is validated, saved and used."""

    @property
    @abstractmethod
    def learning_rate(self) -> float:
        """The present step size."""

    @abstractmethod
    def state(self) -> dict[str, dict[str, Any]]:
        """Everything that resuming needs, under the keys of `STATE_KEYS`, which are those of a checkpoint.

        Raises:
            FloatingPointError: as `settle`, which it does first.
        """

    @abstractmethod
    def load_state(self, state: dict[str, dict[str, Any]]) -> None:
        """The inverse of `state`."""
