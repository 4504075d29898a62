"""The trackers of a run as one."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from Models.TrackerType import TrackerType
from Orchestrators.Training.Trackers.Tracker import Tracker, TrackerError
from Utilities.find_class import find_class
from Utilities.images import Pixels

_LOGGER = logging.getLogger(__name__)


class Trackers:
    """Passes everything on to several trackers, or none. One that fails is warned about and left out from then on.

    Args:
        trackers: by name.
    """

    def __init__(self, trackers: Mapping[str, Tracker] | None = None) -> None:
        self._trackers = dict(trackers or {})

    @contextlib.contextmanager
    def started(self, kinds: Sequence[TrackerType], folder: Path, samples_seen: int) -> Iterator['Trackers']:
        """With those of a run besides, for as long as the context lasts.

        Raises:
            ValueError: if one that was asked for can't be had. TensorBoard, which nobody has to ask for, is only warned
                about.
        """
        try:
            for kind in kinds:
                try:
                    self._trackers[kind.name] = find_class(kind, 'Orchestrators.Training.Trackers')(
                        folder, samples_seen
                    )
                except TrackerError as error:
                    if kind is not TrackerType.TensorBoard:
                        raise
                    _LOGGER.warning('%s', error)
            yield self
        finally:
            self._tell_all(lambda tracker: tracker.close())
            self._trackers.clear()

    def add_settings(self, settings: Mapping[str, Any]) -> None:
        """Show the run's settings."""
        self._tell_all(lambda tracker: tracker.add_settings(settings))

    def add_scalars(self, scalars: Mapping[str, float], samples_seen: int) -> None:
        """Show numbers over samples seen."""
        self._tell_all(lambda tracker: tracker.add_scalars(scalars, samples_seen))

    def add_picture(self, name: str, picture: Pixels, samples_seen: int) -> None:
        """Show a picture."""
        self._tell_all(lambda tracker: tracker.add_picture(name, picture, samples_seen))

    def _tell_all(self, tell: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                tell(tracker)
            except Exception as error:  # Other people's code, of any kind: no reason to lose a training run.
                del self._trackers[name]
                _LOGGER.warning('TrackerType.%s has failed and is left out from here on: %r', name, error)
