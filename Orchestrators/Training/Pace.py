"""How fast training goes, and how much of the time it waits for data."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Batch = TypeVar('Batch')


class Pace:
    """Times the steps of a loop, from asking for a batch to having learned from it.

    What else happens between steps, such as validation, does not count. It knows only of this start of a run: times are
    no part of its result.

    Args:
        clock: the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._asked = 0.0
        self.restart()

    def restart(self) -> None:
        """Forget what was timed, as an epoch begins."""
        self._waiting = self._total = 0.0
        self._samples = 0

    def take(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches, timing how long each was waited for."""
        iterator = iter(batches)
        while True:
            self._asked = self._clock()
            try:
                batch = next(iterator)
            except StopIteration:
                return
            self._waiting += self._clock() - self._asked
            yield batch

    def end_step(self, samples: int) -> None:
        """Count the step that began when the last batch was asked for."""
        self._samples += samples
        self.settle()

    def settle(self) -> None:
        """Count the time since the last step as well, in which a device went on working."""
        if self._samples:
            now = self._clock()
            self._total += now - self._asked
            self._asked = now

    @property
    def samples_per_second(self) -> float | None:
        """Samples learned from per second of the timed steps; None if there were none."""
        return self._samples / self._total if self._total > 0 else None

    @property
    def loader_share(self) -> float | None:
        """Part of the timed steps, from 0 to 1, that went into waiting for the next batch; None if there were none."""
        return self._waiting / self._total if self._total > 0 else None
