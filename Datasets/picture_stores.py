"""Stores of decoded training pictures: in memory, on the disk (`PicturesOnDisk.py`), or nowhere."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from Datasets.EqualPictures import fingerprint
from Utilities.color_profiles import to_srgb
from Utilities.images import Photo, Pixels, read_image


class Reading(NamedTuple):
    """A picture, and what was done to its file's content to get it."""

    pixels: Pixels
    notes: tuple[str, ...]

    fingerprint: str
    """Of the pixels, as `EqualPictures.fingerprint` has it."""


class PictureStore(ABC):
    """Reads each picture once to check it, and gives its pixels ever after.

    Args:
        max_image_pixels: a larger picture is refused by its header alone.
    """

    def __init__(self, max_image_pixels: int = 100_000_000) -> None:
        self._max_image_pixels = max_image_pixels

    def prepare(self, files: Sequence[Path]) -> None:  # noqa: B027  most have nothing to prepare
        """Hear which files are going to be read, all of them, before the first is."""

    @abstractmethod
    def read(self, file: Path) -> Reading:
        """Read a picture for the first time.

        Raises:
            ImageError: if it can't be used, with its path.
        """

    @abstractmethod
    def __getitem__(self, file: Path) -> Pixels:
        """The pixels of a picture that `read` has returned."""

    def _decode(self, file: Path) -> Reading:
        photo = to_srgb(read_image(file, max_pixels=self._max_image_pixels))
        return Reading(photo.pixels, notes_of(photo), fingerprint(photo.pixels))


class PicturesInMemory(PictureStore):
    """Each picture is decoded once. Worker processes share the memory where they are forked, as on Linux."""

    def __init__(self, max_image_pixels: int = 100_000_000) -> None:
        super().__init__(max_image_pixels)
        self._pictures: dict[Path, Pixels] = {}

    def read(self, file: Path) -> Reading:
        reading = self._decode(file)
        self._pictures[file] = reading.pixels
        return reading

    def __getitem__(self, file: Path) -> Pixels:
        return self._pictures[file]


class PicturesInTheirFiles(PictureStore):
    """Nothing is kept: a picture is decoded each time it is asked for."""

    def read(self, file: Path) -> Reading:
        return self._decode(file)

    def __getitem__(self, file: Path) -> Pixels:
        return self._decode(file).pixels


def notes_of(photo: Photo) -> tuple[str, ...]:
    """Conversions, and what was left out."""
    return (*([photo.note] if photo.note else []), *(['transparency ignored'] if photo.alpha is not None else []))
