"""The machine's side of a run: its folder, lock, log, device and TensorBoard."""

import contextlib
import dataclasses
import json
import logging
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import torch

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Run:
    """Where a run happens and what it writes to; passed to whom it concerns, never global."""

    folder: Path
    """Folder of the log, the sample pictures, the configuration and the TensorBoard events."""

    device: torch.device

    writer: 'SummaryWriter | None' = None
    """TensorBoard's writer; None where it is off or not installed."""

    @classmethod
    @contextlib.contextmanager
    def start(cls, folder: Path, device: torch.device, *, tensorboard: bool) -> Iterator['Run']:
        """Take hold of a folder for as long as the context lasts, and log into it.

        Raises:
            ValueError: if the folder can't be written to, or another run holds it.
        """
        _make_writable(folder)
        with _hold(folder), _log_into(folder / 'log.txt'):
            writer = _tensorboard_writer(folder) if tensorboard else None
            try:
                yield cls(folder, device, writer)
            finally:
                if writer is not None:
                    writer.close()

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a file into the run's folder, whole or not at all."""
        path = self.folder / name
        temporary = path.with_name(f'.tmp-{os.getpid()}-{name}')
        temporary.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
        os.replace(temporary, path)

    def add_scalars(self, values: dict[str, float], step: int) -> None:
        """Send numbers to TensorBoard, if it is on."""
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(name, value, step)


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f'.tmp-{os.getpid()}-probe'
        probe.touch()
        probe.unlink()
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


def _tensorboard_writer(folder: Path) -> 'SummaryWriter | None':
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  slow to import, and optional
    except ImportError as error:
        _LOGGER.warning('TensorBoard is off, as it can not be imported (%s): pip install tensorboard.', error)
        return None
    return SummaryWriter(log_dir=str(folder))
