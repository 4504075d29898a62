"""Time and memory of a function, measured so that two can be compared on a machine that does other things too."""

import gc
import multiprocessing
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch

from Utilities.memory import peak_memory_of

Action = Callable[[], object]


class Spread(NamedTuple):
    """Median and quartiles."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, values: list[float]) -> 'Spread':
        """Of one value or more."""
        if len(values) < 2:
            return cls(values[0], values[0], values[0])
        lower, median, upper = statistics.quantiles(values, n=4, method='inclusive')
        return cls(median, lower, upper)


class Comparison(NamedTuple):
    """Seconds of both sides, and how many times as fast ours is."""

    ours: Spread
    naive: Spread
    ratio: Spread


def alternate(ours: Action, naive: Action, alternations: int, clock: Callable[[], float]) -> Comparison:
    """Time both in turn, ours first; the ratio is of neighbors in time, whatever the machine did meanwhile."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(alternations):
        for action, found in zip((ours, naive), seconds, strict=True):
            gc.collect()
            start = clock()
            action()
            found.append(clock() - start)
    ratios = [slow / fast for fast, slow in zip(*seconds, strict=True)]
    return Comparison(Spread.of(seconds[0]), Spread.of(seconds[1]), Spread.of(ratios))


def clock_of(device: torch.device, threads: int) -> Callable[[], float]:
    """The process's own time on one thread, which others do not disturb; else the wall's."""
    if device.type != 'cpu':

        def after_launches() -> float:
            torch.accelerator.synchronize(device)
            return time.perf_counter()

        return after_launches
    return time.process_time if threads == 1 else time.perf_counter


def peak_memory_apart(action: Action, device: torch.device, warm_up: Action) -> int | None:
    """As `peak_memory_of`; None where the system does not tell.

    On a CPU a forked process makes the call, on one thread, as threads do not survive a fork.

    Args:
        action: the call.
        device: where it holds them.
        warm_up: a small call of the same kind, before: a fork has none of the libraries' code in its own memory until
            that runs, which is some 35 MB.
    """
    if device.type == 'cuda':
        return peak_memory_of(action, device)
    if device.type != 'cpu' or sys.platform != 'linux':
        return None
    context = multiprocessing.get_context('fork')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_call_and_tell, args=(action, warm_up, sender))
    gc.collect()
    with warnings.catch_warnings():
        # Python warns of a fork beside threads; the child uses none of them.
        warnings.simplefilter('ignore', DeprecationWarning)
        process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError as error:
        process.join()
        raise MemoryError(f'The measured process ended with {process.exitcode}; was there enough memory?') from error
    finally:
        process.join()


def _call_and_tell(action: Action, warm_up: Action, sender: 'multiprocessing.connection.Connection') -> None:
    torch.set_num_threads(1)
    warm_up()
    try:
        sender.send(peak_memory_of(action, torch.device('cpu')))
    except OSError:
        sender.send(None)
