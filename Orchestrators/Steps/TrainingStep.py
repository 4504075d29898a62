"""What one step of training does with the networks that learn."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from Datasets.SampleSource import Batch
from Orchestrators.Steps.Learner import Learner, Share
from Utilities.distributed import ALONE, Ranks

Samples = TypeVar('Samples', bound=Batch)


class TrainingStep(ABC, Generic[Samples]):
    """Learners, and what a batch means to them; a subclass says the latter, in `run`.

    Args:
        learners: the networks that learn, by the names that checkpoints give them. The first is the one that is
            validated, saved and used.
        ranks: the processes that learn together.
    """

    def __init__(self, learners: Mapping[str, Learner], ranks: Ranks = ALONE) -> None:
        self.learners = dict(learners)
        self._ranks = ranks

    @abstractmethod
    def run(self, batch: Samples, share: Share) -> dict[str, Tensor]:
        """Learn from one batch: compute losses, and hand each to its learner's `learn`.

        Args:
            batch: what this process has of it.
            share: how much that is, and where in the run it stands.

        Returns:
            Scalars for the log, means over this process's part: `loss`, `mse` if colors in [0, 1] are compared, others
            by any name. They need not be detached.

        Raises:
            FloatingPointError: as `Learner.learn`.
        """

    def start(self, batches_per_epoch: int) -> None:
        """Called once, before `learn_from` and `load_state`, when it is known how long an epoch is.

        Raises:
            ValueError: for a setting that does not fit that length.
        """
        for learner in self.learners.values():
            learner.start(batches_per_epoch)

    def learn_from(self, batch: Samples, share: Share) -> dict[str, Tensor]:
        """`run`, in all processes together; returns means over the whole batch."""
        for learner in self.learners.values():
            learner.begin(share)
        scalars = self.run(batch, share)
        return self._ranks.mean_of({name: scalar.detach() for name, scalar in scalars.items()}, share.part)

    def settle(self) -> None:
        """Wait until it is known that all batches so far were sound.

        Raises:
            FloatingPointError: as `run`.
        """
        for learner in self.learners.values():
            learner.settle()

    def end_epoch(self, score: float | None) -> None:
        """What happens between epochs: the schedules go on.

        Args:
            score: of the epoch's validation, higher is better; None if there was none, or it has none.
        """
        for learner in self.learners.values():
            learner.end_epoch(score)

    @property
    def used(self) -> nn.Module:
        """The network that is validated, saved and used."""
        return next(iter(self.learners.values())).used

    @property
    def rates(self) -> dict[str, float]:
        """The present learning rates, by learner."""
        return {name: learner.rate for name, learner in self.learners.items()}

    def state(self) -> dict[str, Any]:
        """Everything that resuming needs, by the names that a checkpoint has: `network`, the one in use; `learners`.

        Raises:
            FloatingPointError: as `settle`, which it does first.
        """
        learners = {name: learner.state() for name, learner in self.learners.items()}
        first = next(iter(learners.values()))
        # What is used stands in the file once.
        return {'network': first.pop('average') if 'average' in first else first.pop('network'), 'learners': learners}

    def load_state(self, network: dict[str, Tensor], learners: Mapping[str, Any]) -> None:
        """The inverse of `state`."""
        for number, (name, learner) in enumerate(self.learners.items()):
            state = dict(learners[name])
            if number == 0:
                state['average' if 'network' in state else 'network'] = network
            learner.load_state(state)
