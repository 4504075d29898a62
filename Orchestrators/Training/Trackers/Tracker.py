"""What every tracker promises."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from Utilities.images import Pixels


class TrackerError(ValueError):
    """A tracker can't be had; the message says why and what to do."""


class Tracker(ABC):
    """Shows numbers and pictures of a run while it goes on. Its package is imported when it is built, not before.

    Args:
        folder: the run's own folder.
        samples_seen: samples learned from so far; 0 for a new run. One that goes on is shown as one.

    Raises:
        TrackerError: if the package is missing or can't work here.
    """

    @abstractmethod
    def __init__(self, folder: Path, samples_seen: int) -> None: ...

    @abstractmethod
    def add_settings(self, settings: Mapping[str, Any]) -> None:
        """Show the run's settings, given as JSON has them."""

    @abstractmethod
    def add_scalars(self, scalars: Mapping[str, float], samples_seen: int) -> None:
        """Show numbers by name, over samples seen, so that runs of other batch sizes can be laid over each other."""

    @abstractmethod
    def add_picture(self, name: str, picture: Pixels, samples_seen: int) -> None:
        """Show a picture."""

    @abstractmethod
    def close(self) -> None:
        """Bring everything to where it belongs."""


def known_run(file: Path, samples_seen: int) -> str | None:
    """The id under which a tracker knows the run that goes on; None for a new run, or if it is new to the tracker."""
    return file.read_text(encoding='utf-8').strip() if samples_seen and file.exists() else None
