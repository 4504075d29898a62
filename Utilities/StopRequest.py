"""Polite stopping: a signal sets a flag, and the run ends where its state is whole."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType

_STOPPING = tuple(getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGUSR1') if hasattr(signal, name))
_SECONDS_AFTER_SIGTERM = 5


class StopRequest:
    """While entered, Ctrl-C, SIGTERM and SIGUSR1 only ask to stop; a second Ctrl-C stops at once.

    Outside the main thread, where Python allows no handlers, it does nothing.
    """

    def __init__(self) -> None:
        self._signal: signal.Signals | None = None
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> 'StopRequest':
        if threading.current_thread() is threading.main_thread():
            for number in _STOPPING:
                self._previous[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._signal = signal.Signals(number)
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    @property
    def number(self) -> int:
        """Number of the signal that came, or 0. A process that ends by it exits with 128 more, as shells have it."""
        return self._signal or 0


@contextlib.contextmanager
def stop_signals_wait() -> Iterator[None]:
    """While entered, Ctrl-C, SIGTERM and SIGUSR1 wait, also for the processes that are started meanwhile.

    These are deaf from their first moment on, until `outlive_stop_signals` lets them hear what they then ignore.
    """
    if not hasattr(signal, 'pthread_sigmask'):
        yield  # Windows has no signals that wait.
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def outlive_stop_signals() -> None:
    """For worker processes: a signal to the whole group reaches them too, but the parent alone decides when to end.

    A worker that dies of it would take the step under way with it. SIGTERM is obeyed some seconds later, so that a
    parent that ends without a word is not waited for.
    """
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, 'alarm'):
        signal.signal(signal.SIGTERM, lambda *_: signal.alarm(_SECONDS_AFTER_SIGTERM))
    if hasattr(signal, 'pthread_sigmask'):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
