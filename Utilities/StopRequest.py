"""Polite stopping: a signal sets a flag, and the run ends where its state is whole."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

_STOPPING = tuple(getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGUSR1') if hasattr(signal, name))


class StopRequest:
    """While entered, Ctrl-C, SIGTERM and SIGUSR1 only ask to stop; a second Ctrl-C stops at once.

    Outside the main thread, where Python allows no handlers, it does nothing.
    """

    def __init__(self) -> None:
        self._signal: signal.Signals | None = None
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
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
    def name(self) -> str | None:
        """Name of the signal that came, or None."""
        return self._signal.name if self._signal else None

    @property
    def exit_code(self) -> int:
        """128 + the signal's number, as shells have it."""
        return 128 + (self._signal or 0)


def ignore_stop_signals() -> None:
    """For worker processes: a Ctrl-C reaches the whole group, but the parent alone decides."""
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)
