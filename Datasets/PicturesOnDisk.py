"""A cache of decoded pictures on the disk, shared by all runs of a user."""

import contextlib
import hashlib
import logging
import math
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import PIL

from Datasets.picture_stores import PictureStore, Reading
from Datasets.pixel_files import HEADER_BYTES, SUFFIX, map_pixels, write_pixels
from Utilities.files import TEMPORARY
from Utilities.images import ImageError, Pixels, read_header

_LOGGER = logging.getLogger(__name__)
_GIB = 2**30
_DECODING = f'2, Pillow {PIL.__version__}'
"""Everything that decides the pixels besides the file. The number is raised when `read_image` gives other ones."""
_MAX_MAPS = 16_384
"""Linux lets a process have 65 530."""
_LEFTOVER_SECONDS = 24 * 3600


class PicturesOnDisk(PictureStore):
    """Each picture is decoded once and for all; its file in the cache is found by path, size and time of change.

    A file of the cache that is damaged, or gone since it was looked at, is made again. Nothing is removed but what was
    decoded from an earlier state of a picture that is asked for.

    Only names are handed to worker processes; each maps the files when it first looks at them.

    Args:
        folder: of the cache; made if it is missing.
        limit_bytes: how large the folder may become.
        max_image_pixels: a larger picture is refused by its header alone.
    """

    def __init__(self, folder: Path, limit_bytes: int, max_image_pixels: int = 100_000_000) -> None:
        super().__init__(max_image_pixels)
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._names: dict[Path, str] = {}
        self._maps: dict[Path, Pixels] = {}

    def prepare(self, files: Sequence[Path]) -> None:
        """See to it that there is room.

        Raises:
            ValueError: if the pictures do not fit into the limit or on the disk, or the folder is no place for a cache.
        """
        _refuse_folder_of_pictures(self._folder, files)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            present = _scan(self._folder)
        except OSError as error:
            raise self._failure(error) from error
        self._names = {file: name for file in files if (name := _name_of(file)) is not None}
        wanted = set(self._names.values())
        _remove_outdated(self._folder, wanted, present)
        missing = {name: self._bytes_of(file) for file, name in self._names.items() if name not in present}
        needed = sum(missing.values()) + sum(present[name] for name in wanted & present.keys())
        if needed > self._limit_bytes:
            raise ValueError(
                f'cache_limit_gib = {self._limit_bytes / _GIB:g}: the {len(files)} pictures take '
                f'{needed / _GIB:.3g} GiB when decoded. Set it to {math.ceil(needed / _GIB)} or more, or set '
                "cache = 'memory', or cache = 'none' to decode the file for each crop."
            )
        self._refuse_without_room(sum(missing.values()), wanted, present)
        if missing:
            _LOGGER.info(
                'Decoding %d pictures into %s: %.3g GiB.', len(missing), self._folder, sum(missing.values()) / _GIB
            )

    def read(self, file: Path) -> Reading:
        name = self._names.get(file)
        if name is None:
            return self._decode(file)  # It could not even be looked at; decoding says why.
        path = self._folder / name
        reading = map_pixels(path)
        if reading is None or math.prod(reading.pixels.shape[:2]) > self._max_image_pixels:
            reading = self._decode(file)
            try:
                write_pixels(path, reading)
            except OSError as error:
                raise self._failure(error) from error
        return reading

    def __getitem__(self, file: Path) -> Pixels:
        pixels = self._maps.get(file)
        if pixels is None:
            if len(self._maps) >= _MAX_MAPS:
                self._maps.clear()
            pixels = self._maps[file] = self._map(file)
        return pixels

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {'_maps': {}}

    def _map(self, file: Path) -> Pixels:
        reading = map_pixels(self._folder / self._names[file])
        if reading is None:
            # Someone may have needed the room. A changed picture would be another run's, so it is not taken.
            if _name_of(file) != self._names[file]:
                raise ImageError(f'{file} has changed since the run began, and so has {self._folder}.')
            decoded = self.read(file)
            reading = map_pixels(self._folder / self._names[file]) or decoded
        return reading.pixels

    def _bytes_of(self, file: Path) -> int:
        try:
            header = read_header(file, max_pixels=self._max_image_pixels)
        except ImageError:
            return 0  # It will be refused or left out.
        return HEADER_BYTES + 3 * header.height * header.width

    def _refuse_without_room(self, needed: int, wanted: set[str], present: dict[str, int]) -> None:
        others = sum(size for name, size in present.items() if name not in wanted)
        total = needed + sum(present.values())
        if total > self._limit_bytes:
            raise ValueError(
                f'cache_limit_gib = {self._limit_bytes / _GIB:g}: with {others / _GIB:.3g} GiB of other pictures, '
                f'{self._folder} would hold {total / _GIB:.3g} GiB. Set it to {math.ceil(total / _GIB)} or more, or '
                'remove the folder: what it holds can be made again.'
            )
        free = shutil.disk_usage(self._folder).free
        if needed > free:
            raise ValueError(
                f'The cache of decoded pictures needs {needed / _GIB:.3g} GiB, but {self._folder} has '
                f"{free / _GIB:.3g} GiB left. Set cache_folder to a larger disk, or cache = 'memory' or 'none'."
            )

    def _failure(self, error: OSError) -> ValueError:
        return ValueError(
            f'The cache of decoded pictures, {self._folder}, can not be written: {error}. Set cache_folder to another '
            "folder, or cache = 'memory' or 'none'."
        )


def _refuse_folder_of_pictures(folder: Path, files: Sequence[Path]) -> None:
    resolved = Path(os.path.realpath(folder))
    for pictures in {file.parent for file in files}:
        if resolved.is_relative_to(os.path.realpath(pictures)):
            raise ValueError(f'cache_folder = {folder} must not lie in a folder of pictures, such as {pictures}.')


def _name_of(file: Path) -> str | None:
    """Name of a picture's file in the cache; its first part is the path's alone. None if there is no such picture."""
    try:
        status = file.stat()
    except OSError:
        return None
    state = f'{status.st_size}/{status.st_mtime_ns}/{_DECODING}'.encode()
    return f'{_digest(os.fsencode(file.absolute()))}-{_digest(state)}{SUFFIX}'


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=10).hexdigest()


def _scan(folder: Path) -> dict[str, int]:
    """Sizes of the files of the cache."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.endswith(SUFFIX):
                continue
            with contextlib.suppress(FileNotFoundError):  # Another run may have removed it meanwhile.
                status = entry.stat()
                if not entry.name.startswith(TEMPORARY):
                    found[entry.name] = status.st_size
                elif time.time() - status.st_mtime > _LEFTOVER_SECONDS:
                    Path(entry.path).unlink()  # Of a process that was killed.
    return found


def _remove_outdated(folder: Path, wanted: set[str], present: dict[str, int]) -> None:
    """Remove what was decoded from an earlier state of a wanted picture."""
    paths = {name.partition('-')[0] for name in wanted}
    for name in [name for name in present if name not in wanted and name.partition('-')[0] in paths]:
        (folder / name).unlink(missing_ok=True)
        del present[name]
