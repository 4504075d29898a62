"""The machine's side of a run: its folder, lock, log, device and trackers."""

import contextlib
import dataclasses
import json
import logging
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock
import torch

from Models.TrackerType import TrackerType
from Orchestrators.Training.Trackers.Tracker import Tracker, TrackerError
from Utilities.distributed import ALONE, Ranks
from Utilities.files import replacing
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


@dataclasses.dataclass(frozen=True)
class Run:
    """Where a run happens and what it writes to; passed to whom it concerns, never global."""

    folder: Path
    """Folder of the log, the metrics and their curves, the sample pictures and the configuration."""

    device: torch.device

    ranks: Ranks = ALONE
    """The processes that it consists of; only the first one writes."""

    trackers: Trackers = dataclasses.field(default_factory=Trackers)
    """Where its curves can be watched; none before training begins."""

    @classmethod
    @contextlib.contextmanager
    def start(cls, folder: Path, device: torch.device, ranks: Ranks = ALONE) -> Iterator['Run']:
        """Take hold of a folder for as long as the context lasts, and log into it.

        Raises:
            ValueError: if the folder can't be written to, or another run holds it.
        """
        with contextlib.ExitStack() as held:
            with ranks.together():
                if ranks.is_first:
                    _make_writable(folder)
                    held.enter_context(_hold(folder))
                    held.enter_context(_log_into(folder / 'log.txt'))
                    for leftover in folder.glob('.tmp-*'):
                        leftover.unlink(missing_ok=True)  # Of a run that was killed while writing.
            yield cls(folder, device, ranks)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a file into the run's folder, whole or not at all."""
        if not self.ranks.is_first:
            return
        with replacing(self.folder / name) as temporary:
            temporary.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f'.tmp-{os.getpid()}-probe'
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise ValueError(
            f'The run needs to write into the folder {folder}, but can not: {error}. Change save_path.'
        ) from error


@contextlib.contextmanager
def _hold(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system lets go of it when the process ends, however it ends."""
    owner = folder / '.lock-owner'
    lock = filelock.FileLock(folder / '.lock', timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        holder = owner.read_text(encoding='utf-8').strip() if owner.exists() else 'another process'
        raise ValueError(
            f'{folder} is in use by {holder}. Two runs of one recipe need two settings of save_path.'
        ) from error
    try:
        owner.write_text(f'process {os.getpid()} on {platform.node()}\n', encoding='utf-8')
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


@contextlib.contextmanager
def _log_into(path: Path) -> Iterator[None]:
    handler = logging.FileHandler(path, encoding='utf-8', errors='backslashreplace')
    handler.setFormatter(logging.Formatter('%(asctime)s %(levelname)s %(message)s', datefmt='%Y-%m-%d %H:%M:%S'))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
