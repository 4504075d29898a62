"""How fast training goes, how much of the time it waits for data, and the one bar that shows where it is."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TypeVar

from torch import Tensor
from tqdm import tqdm

Batch = TypeVar('Batch')
_SECONDS_BETWEEN_READOUTS = 0.5


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


class ProgressBar:
    """Samples learned from, loss, PSNR, samples/s and time left; silent where there is no terminal.

    Args:
        total: samples of the whole run.
        done: samples learned from before this start.
        silent: show nothing, as another process does.
    """

    def __init__(self, total: int, done: int, *, silent: bool = False) -> None:
        self._bar = tqdm(
            total=total,
            initial=done,
            unit=' samples',
            unit_scale=True,
            disable=True if silent else None,
            smoothing=0.05,
            dynamic_ncols=True,
        )
        self._last_readout = 0.0

    def __enter__(self) -> 'ProgressBar':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.close()

    def advance(self, samples: int, epoch: str, loss: Tensor, mse: Tensor | None) -> None:
        """Count a batch; `epoch` is shown as it is. No `mse`: no PSNR is shown."""
        self._bar.update(samples)
        # Reading a number waits for the device, so only as often as an eye can follow.
        if self._bar.disable or time.monotonic() - self._last_readout < _SECONDS_BETWEEN_READOUTS:
            return
        self._last_readout = time.monotonic()
        self._bar.set_description(epoch, refresh=False)
        psnr = '' if mse is None else f', PSNR {decibels_of(mse.item()):.1f} dB'
        self._bar.set_postfix_str(f'loss {loss.item():.4f}{psnr}')


def decibels_of(mse: float) -> float:
    """PSNR in dB of a mean squared difference of colors in [0, 1]."""
    return -10 * math.log10(mse) if mse > 0 else math.inf
