"""Checkpoints from strangers: refused by what they declare, before memory is taken for it."""

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from torch import Tensor

_MAX_ENTRIES = 100_000
"""Tensors in a file; the largest networks of the field have some thousands, their optimizers three times as many."""

_MAX_DIRECTORY_BYTES = 16 * 1024**2
_MAX_VALUES = 1_000_000
_MAX_DEPTH = 100
_TENSORS_OVER_FILE = 4
"""Tensors may share memory in the file, as tied weights do, but no more of it than this."""

_SLACK_BYTES = 1024**2


class OversizedError(ValueError):
    """A file declares more than it can rightly hold; the message says what, without the file's name."""


def refuse_oversized_archive(path: Path) -> None:
    """Refuse a zip archive, as `torch.save` writes it, that holds too many entries or unpacks to more than itself.

    A file that is no zip archive, or a damaged one, is left to its reader.

    Raises:
        OversizedError: with what it declares and what is allowed.
    """
    with path.open('rb') as file:
        if file.read(4) != b'PK\x03\x04':
            return
        entries, directory_bytes = archive_directory_size(file)
    # Each entry costs Python about a thousand bytes, so their number is looked at before they are.
    if entries > _MAX_ENTRIES or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise OversizedError(f'it declares {entries} entries ({directory_bytes} bytes of names); {_MAX_ENTRIES} may be')
    try:
        with zipfile.ZipFile(path) as archive:
            declared = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError):
        return
    if declared > path.stat().st_size:
        raise OversizedError(
            f'its entries unpack to {declared} bytes, but it has {path.stat().st_size}; torch does not compress them'
        )


def refuse_oversized_content(content: object, file_bytes: int) -> None:
    """Refuse what was read if its tensors claim more memory than the file can hold, as expanded ones do.

    Such tensors cost nothing until something is computed with them, such as a hash.

    Args:
        content: nested dictionaries, sequences, tensors and plain values.
        file_bytes: size of the file.

    Raises:
        OversizedError: with what it declares and what is allowed.
    """
    allowed = _TENSORS_OVER_FILE * file_bytes + _SLACK_BYTES
    declared, values = 0, 0
    waiting = [(content, 0)]
    while waiting:
        value, depth = waiting.pop()
        values += 1
        if depth > _MAX_DEPTH or values > _MAX_VALUES:
            raise OversizedError(f'it nests more than {_MAX_DEPTH} levels or {_MAX_VALUES} values')
        if isinstance(value, Tensor):
            declared += value.numel() * value.element_size()
        elif isinstance(value, Mapping):
            waiting += [(entry, depth + 1) for entry in value.values()]
        elif isinstance(value, list | tuple | set):
            waiting += [(entry, depth + 1) for entry in value]
        if declared > allowed:
            raise OversizedError(f'its tensors claim {declared} bytes or more, but from {file_bytes} come {allowed}')


def archive_directory_size(file: BinaryIO) -> tuple[int, int]:
    """Entries, and bytes of the list of them, as the archive's last record declares; zeros where there is none."""
    length = file.seek(0, 2)
    start = max(0, length - 65_557)  # The record is 22 bytes and may have a comment of 65 535 behind it.
    file.seek(start)
    tail = file.read()
    place = tail.rfind(b'PK\x05\x06')
    if place < 0 or len(tail) < place + 22:
        return 0, 0
    entries, directory_bytes = struct.unpack_from('<HL', tail, place + 10)
    # Large archives, and torch's own always, have the numbers in a record of their own, found through a locator.
    if place >= 20 and tail[place - 20 : place - 16] == b'PK\x06\x07':
        (offset,) = struct.unpack_from('<Q', tail, place - 12)
        if offset + 56 > length:
            return 0, 0
        file.seek(offset)
        record = file.read(56)
        if record[:4] == b'PK\x06\x06':
            entries, directory_bytes = struct.unpack_from('<QQ', record, 32)
    return entries, directory_bytes
