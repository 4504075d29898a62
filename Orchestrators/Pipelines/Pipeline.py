"""What one kind of training is: all that the loop, which knows no image and no loss, has to be told."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from Datasets.SampleSource import SampleSource
from Orchestrators.Steps.TrainingStep import TrainingStep
from Orchestrators.Training.curves import Panel
from Orchestrators.Training.Progress import Identity
from Orchestrators.Training.Run import Run
from Orchestrators.Training.Validated import Metric, Validated, ValidationStoppedError

__all__ = ['Identity', 'Metric', 'Pipeline', 'Validated', 'ValidationStoppedError']


class Pipeline(ABC):
    """Samples, step, validation, deciding metrics, names. One is built per run, by the orchestrator.

    Of several processes each builds its own, all together: an error in one ends all. The constructor builds the step,
    whose weights come from the recipe's seed alone; data are read later, in `samples`, and only if there is something
    to train.
    """

    step: TrainingStep[Any]

    metrics: Sequence[Metric]
    """They decide together what `best` is; the first is what a schedule looks at."""

    @abstractmethod
    def __init__(self, recipe: Any, run: Run) -> None:  # noqa: ANN401  each has recipes of its own
        ...

    @staticmethod
    @abstractmethod
    def file_stem(recipe: Any) -> str:  # noqa: ANN401
        """Name of the run's folder, and how its checkpoints' names begin.

        Raises:
            ValueError: for a name that can't be a file's.
        """

    @staticmethod
    @abstractmethod
    def title(recipe: Any) -> str:  # noqa: ANN401
        """What is trained, for the log and above the curves: `Simple: EDSR with LIIF`."""

    @abstractmethod
    def samples(self, after_each: Callable[[], None]) -> SampleSource[Any]:
        """Read and check all data, those of the validation too, so that what is wrong is found before the first step.

        Args:
            after_each: called after each file; it may end the run.

        Raises:
            ValueError, OSError: telling all that is wrong with the data.
        """

    @abstractmethod
    def identity(self) -> Identity:
        """What the data are, once read: a run that is continued must find the same, wherever they lie."""

    @abstractmethod
    def describe(self) -> str:
        """Data and network in the log, once read."""

    @abstractmethod
    def validate(self, epoch: int, samples_seen: int, should_stop: Callable[[], bool]) -> Validated:
        """Score the step's `used` network, and show examples by the run's trackers.

        Raises:
            ValidationStoppedError: if `should_stop` says so in between; nothing half-measured is kept.
        """

    @abstractmethod
    def panels(self, best_epoch: int | None) -> list[Panel]:
        """Curves to draw, save the learning rate's.

        Args:
            best_epoch: to be marked among the validations.
        """
