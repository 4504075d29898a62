"""Checkpoints that survive: written whole or not at all, verified when read, never running code from the file."""

import dataclasses
import hashlib
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from Utilities.files import TEMPORARY, replacing
from Utilities.safe_reading import UnreadableError, read_torch_file
from Utilities.version import code_version, refuse_old_torch

_LOGGER = logging.getLogger(__name__)


class CheckpointError(ValueError):
    """A checkpoint that can't be read or does not belong here; the message names the file and what to do."""


class CheckpointWriteError(OSError):
    """A checkpoint could not be written; the previous one is untouched."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Everything a run needs to go on, and a test to know what it tests. Tensors and plain values only."""

    FORMAT: ClassVar[int] = 3
    """Raised when the content changes; older formats that can still be read are listed in `READABLE`."""

    READABLE: ClassVar[tuple[int, ...]] = (1, 2, 3)
    """Format 1 has no `computed_on`; formats 1 and 2 are of one network, whose learning is spread over the file."""

    configuration: dict[str, Any]
    """The training configuration, as `to_dict` gives it."""

    network: dict[str, Tensor]
    """state_dict of the network that is used; all that testing and upscaling need, besides `configuration`."""

    progress: dict[str, Any]
    """Progress of the run: epoch, batch, best score, averages."""

    learners: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    """For each network that learns, what it goes on from: `optimizer`, `schedule`, `updater`, and where they are not
    `network` above, the weights that learn as `network` and their `average`. The first is the one that is used. Empty
    in a checkpoint that no run continues from."""

    rng: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    """States of torch's generators by device type; empty in a checkpoint that no run continues from."""

    code_version: str = dataclasses.field(default_factory=code_version)
    torch_version: str = str(torch.__version__)

    computed_on: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Everything besides torch's version that the last bits depend on, as `describe_computation` gives it."""

    format: int = FORMAT
    """Of the file that this was read from."""

    def save(self, path: Path) -> None:
        """Write the file, keeping the one it replaces as `<name>.prev`.

        At any moment, power cut included, `path` or `path.prev` is whole: the new file is written beside the old one,
        brought to the disk, and only then takes its name.

        Raises:
            CheckpointWriteError: if it can't be written; the previous file is untouched.
        """
        content = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del content['format']
        content |= {'format': self.FORMAT, 'sha256': content_hash(content)}
        try:
            # Through a file object: torch's own writer does not say that the disk is full.
            with replacing(path, previous=previous_of(path)) as temporary, temporary.open('wb') as file:
                torch.save(content, file)
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(path.parent)
        except (OSError, RuntimeError) as error:
            if 'DataLoader worker' in str(error):
                raise  # torch tells the death of a worker wherever Python happens to be.
            raise CheckpointWriteError(
                f'{path} could not be written: {error}. Is the disk full? {_room_for(content, path.parent)}'
            ) from error

    @classmethod
    def load(cls, path: Path) -> 'Checkpoint':
        """Read and verify a checkpoint.

        Raises:
            CheckpointError: if it is missing, not a checkpoint, of an unknown format, or not what was written.
            ValueError: for a torch that is too old to read files safely.
        """
        refuse_old_torch()
        if not path.is_file():
            raise CheckpointError(_missing(path))
        try:
            content = read_torch_file(path)
        except UnreadableError as error:
            raise CheckpointError(f'{path} is not a readable checkpoint: {error}.') from error
        if not isinstance(content, dict) or 'format' not in content or 'sha256' not in content:
            raise CheckpointError(f'{path} is not a readable checkpoint: it was not written by this framework.')
        found = content.pop('format')
        if found not in cls.READABLE:
            readable = ', '.join(map(str, cls.READABLE[:-1])) + f' and {cls.READABLE[-1]}'
            raise CheckpointError(
                f'{path} has format {found}, and this version reads {readable}: it was written by another version of '
                'the framework.'
            )
        if content.pop('sha256') != content_hash(content):
            raise CheckpointError(
                f'{path} is not a readable checkpoint: its contents do not match their recorded sha256.'
            )
        return cls(**(content if found > 2 else _with_learners(content)), format=found)  # noqa: PLR2004

    @classmethod
    def load_newest(cls, path: Path) -> 'Checkpoint | None':
        """Read `path`, or the one before it if `path` is damaged; None if there is neither.

        A damaged file is set aside as `<name>.damaged`, not deleted.

        Raises:
            CheckpointError: if all that exist are damaged.
        """
        candidates = [candidate for candidate in (path, previous_of(path)) if candidate.exists()]
        errors = []
        for candidate in candidates:
            try:
                checkpoint = cls.load(candidate)
            except CheckpointError as error:
                errors.append(error)
                continue
            if errors:
                # Else the next save would keep the damaged file as the previous one.
                aside = _free_name(path.with_name(path.name + '.damaged'))
                os.replace(path, aside)
                _LOGGER.warning('%s Set aside as %s; continuing from %s.', errors[0], aside.name, candidate)
            return checkpoint
        if errors:
            tried = ' '.join(str(error) for error in errors)
            raise CheckpointError(
                f'No checkpoint of this run can be read. {tried} Move them away to start anew; nothing was changed.'
            )
        return None


def _with_learners(content: dict[str, Any]) -> dict[str, Any]:
    """Contents of formats 1 and 2, as format 3 has them."""
    optimizer, schedule, step = (dict(content.pop(name)) for name in ('optimizer', 'schedule', 'step'))
    step.pop('batch', None)  # `progress` says it too.
    network = {'network': step.pop('network')} if 'network' in step else {}
    learner = network | {'optimizer': optimizer, 'schedule': schedule, 'updater': step}
    progress = dict(content['progress'])
    if 'pictures' in progress:
        progress['data'] = {'pictures': progress.pop('pictures'), 'left out': progress.pop('pictures_skipped')}
    if isinstance(progress.get('best'), float):
        progress['best'] = [progress['best']]
    return content | {'progress': progress, 'learners': {'super_resolver': learner} if optimizer else {}}


def previous_of(path: Path) -> Path:
    """Path of the checkpoint that `path` replaced."""
    return path.with_name(path.name + '.prev')


def remove_leftovers(path: Path) -> None:
    """Remove the half-written files that a killed run left beside `path`; call it only while holding the run's lock."""
    for leftover in path.parent.glob(f'{TEMPORARY}*-{path.name}*'):
        leftover.unlink(missing_ok=True)


def content_hash(content: object) -> str:
    """SHA-256 over keys, types, shapes and bytes of nested dictionaries, sequences, tensors and plain values."""
    digest = hashlib.sha256()
    _update(digest, content)
    return digest.hexdigest()


def _update(digest: 'hashlib._Hash', value: object) -> None:
    if isinstance(value, Tensor):
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest.update(f'tensor {value.dtype} {tuple(value.shape)}:'.encode())
        digest.update(flat.view(torch.uint8).numpy().data)
    elif isinstance(value, Mapping):
        digest.update(f'mapping {len(value)}:'.encode())
        for key, entry in value.items():
            digest.update(f'{key!r}='.encode())
            _update(digest, entry)
    elif isinstance(value, list | tuple):
        digest.update(f'{type(value).__name__} {len(value)}:'.encode())
        for entry in value:
            _update(digest, entry)
    else:
        digest.update(f'{type(value).__name__} {value!r};'.encode())


def _sync_folder(folder: Path) -> None:
    if os.name == 'nt':
        return  # Windows can't open a folder.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _room_for(content: object, folder: Path) -> str:
    needed = _tensor_bytes(content) / 1e6
    try:
        free = f'{shutil.disk_usage(folder).free / 1e6:.1f} MB'
    except OSError:
        free = 'an unknown amount'
    return f'It needs some {needed:.1f} MB; {folder} has {free} left.'


def _tensor_bytes(content: object) -> int:
    if isinstance(content, Tensor):
        return content.nbytes
    if isinstance(content, Mapping):
        return sum(_tensor_bytes(entry) for entry in content.values())
    if isinstance(content, list | tuple):
        return sum(_tensor_bytes(entry) for entry in content)
    return 0


def _missing(path: Path) -> str:
    present = sorted(file.name for file in path.parent.glob('*.pth')) if path.parent.is_dir() else []
    listing = f'In {path.parent} there are: {", ".join(present[:20])}.' if present else f'{path.parent} holds none.'
    return f'There is no checkpoint {path}. {listing}'


def _free_name(path: Path) -> Path:
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f'{path.name}-{number}')
    return candidate
