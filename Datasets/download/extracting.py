"""Unpacking archives from strangers: plain files only, inside the folder only, no larger than allowed.

Everything is unpacked beside its place first. Only when the whole archive has turned out harmless do the files move to
where they belong, and none takes the place of another file.
"""

import contextlib
import filecmp
import gzip
import io
import os
import re
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from Utilities.file_limits import archive_directory_size

_MAX_MEMBERS = 100_000
_MAX_HEADER_BYTES = 1024**2
"""Of a tar archive, between two files."""

_CHUNK_BYTES = 1024**2
_SHOWN = 5


class ArchiveError(ValueError):
    """An archive that is damaged or not to be trusted; the message names it and the member. Nothing was unpacked."""


class _Member(NamedTuple):
    name: str
    size: int
    is_folder: bool
    refusal: str
    """Reason for which it is no plain file or folder; empty if it is one."""

    open: Callable[[], IO[bytes] | None]


def extract(archive: Path, folder: Path, *, max_bytes: int) -> int:
    """Unpack a zip, tar or tar.gz archive into a folder; returns how many files came.

    Files that are already there and equal are left; macOS' own companions of files are skipped.

    Args:
        archive: its name tells its kind.
        folder: made if it is missing.
        max_bytes: what all files together may have.

    Raises:
        ArchiveError: for a member outside the folder, a link, a device, a name that comes twice, too much, or a damaged
            archive; and for a file that would take the place of another. Nothing is changed in the folder then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.tmp-unpacking-', dir=folder) as beside:
        try:
            with contextlib.closing(_members(archive)) as members:
                files = _unpack(members, archive, Path(beside), max_bytes)
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile) as error:
            raise ArchiveError(f'{archive} is damaged: {error}.') from error
        except (NotImplementedError, RuntimeError) as error:
            raise ArchiveError(f'{archive} can not be unpacked: {error}.') from error
        _move(Path(beside), folder, files, archive)
    return len(files)


def _unpack(members: Iterator[_Member], archive: Path, beside: Path, max_bytes: int) -> list[Path]:
    """Write all members below `beside`; their paths relative to it."""
    files: dict[tuple[str, ...], Path] = {}
    folders: set[tuple[str, ...]] = set()
    total = 0
    for number, member in enumerate(members, 1):
        parts = _checked_parts(member, archive)
        total += member.size
        if number > _MAX_MEMBERS or total > max_bytes:
            allowed = f'{_MAX_MEMBERS} members and {max_bytes} bytes are allowed'
            raise ArchiveError(f'{archive} is refused at {member.name!r}: with it {total} bytes; {allowed}.')
        # On many file systems `A` and `a` are one file.
        key = tuple(part.casefold() for part in parts)
        own_folders = {key[:depth] for depth in range(1, len(key) + member.is_folder)}
        if key in files or own_folders & files.keys() or (not member.is_folder and key in folders):
            raise ArchiveError(f'{archive} is refused: {member.name!r} comes twice.')
        folders |= own_folders
        if not member.is_folder:
            files[key] = Path(*parts)
            _write(member, archive, beside / files[key])
    return [file for file in files.values() if not _is_of_macos(file)]


def _is_of_macos(file: Path) -> bool:
    return file.name.startswith('._') or file.name == '.DS_Store' or file.parts[0] == '__MACOSX'


def _checked_parts(member: _Member, archive: Path) -> tuple[str, ...]:
    """The folders and the name of a member."""
    name = member.name
    parts = tuple(part for part in name.split('/') if part not in ('', '.'))
    reason = member.refusal
    if name.startswith('/') or re.match(r'[A-Za-z]:', name):
        reason = 'is an absolute name'
    elif '..' in parts:
        reason = 'leads out of the folder'
    elif '\\' in name or not name.isprintable() or not (parts or member.is_folder):
        reason = 'is no name for a file'
    if reason:
        raise ArchiveError(f'{archive} is refused: its member {name!r} {reason}.')
    return parts


def _write(member: _Member, archive: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    source = member.open()
    if source is None:
        raise ArchiveError(f'{archive} is damaged: it has no content for {member.name!r}.')
    written = 0
    with source, path.open('xb') as file:
        while chunk := source.read(_CHUNK_BYTES):
            written += len(chunk)
            if written > member.size:
                break
            file.write(chunk)
    if written != member.size:
        raise ArchiveError(f'{archive} is damaged: {member.name!r} has not the {member.size} bytes that it declares.')


def _move(beside: Path, folder: Path, files: list[Path], archive: Path) -> None:
    """Give all files their places, unless one is taken by something else."""
    taken = [file for file in files if os.path.lexists(folder / file)]
    others = [file for file in taken if not _equal(beside / file, folder / file)]
    if others:
        names = ', '.join(str(folder / file) for file in others[:_SHOWN])
        raise ArchiveError(
            f'{archive} is not unpacked: {len(others)} of its files would take the place of others, such as {names}. '
            'Move them away; nothing was changed.'
        )
    for file in sorted(set(files) - set(taken)):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (beside / file).rename(folder / file)


def _equal(one: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(one, other, shallow=False)


def _members(archive: Path) -> Generator[_Member, None, None]:
    if archive.name.endswith('.zip'):
        return _zip_members(archive)
    if archive.name.endswith(('.tar', '.tar.gz', '.tgz')):
        return _tar_members(archive)
    raise ArchiveError(f'{archive} must be a .zip, .tar, .tar.gz or .tgz to be unpacked.')


def _zip_members(archive: Path) -> Generator[_Member, None, None]:
    with archive.open('rb') as file:
        entries, _ = archive_directory_size(file)
    if entries > _MAX_MEMBERS:
        raise ArchiveError(f'{archive} is refused: it declares {entries} members; {_MAX_MEMBERS} are allowed.')
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            refusal = '' if kind in (0, stat.S_IFREG, stat.S_IFDIR) else 'is a link or a device'
            refusal = 'is encrypted' if entry.flag_bits & 1 else refusal
            # The name as it is written: zipfile's own is already made harmless.
            yield _Member(entry.orig_filename, entry.file_size, entry.is_dir(), refusal, partial(opened.open, entry))


def _tar_members(archive: Path) -> Generator[_Member, None, None]:
    with archive.open('rb') as raw, contextlib.ExitStack() as stack:
        plain = archive.name.endswith('.tar')
        counted = _Counted(raw if plain else stack.enter_context(gzip.GzipFile(fileobj=raw)), archive)
        opened = stack.enter_context(tarfile.open(fileobj=counted, mode='r|'))  # type: ignore[call-overload]
        while True:
            # A header may announce names of any length, which tarfile would read into memory.
            counted.allow(_MAX_HEADER_BYTES)
            entry = opened.next()
            if entry is None:
                return
            refusal = '' if entry.isreg() or entry.isdir() else 'is a link or a device'
            refusal = 'is a sparse file' if entry.issparse() else refusal
            counted.allow(entry.size + _MAX_HEADER_BYTES)
            yield _Member(entry.name, entry.size, entry.isdir(), refusal, partial(opened.extractfile, entry))


class _Counted:
    """A stream that gives no more than was allowed."""

    def __init__(self, stream: io.BufferedIOBase, archive: Path) -> None:
        self._stream = stream
        self._archive = archive
        self._left = _MAX_HEADER_BYTES

    def allow(self, count: int) -> None:
        self._left = count

    def read(self, count: int) -> bytes:
        chunk = self._stream.read(count)
        self._left -= len(chunk)
        if self._left < 0:
            raise ArchiveError(f'{self._archive} is refused: a header has more than {_MAX_HEADER_BYTES} bytes.')
        return chunk
