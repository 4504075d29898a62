"""Equality of pictures by their pixels, whatever their files are called."""

import hashlib
from pathlib import Path

import numpy as np

from Utilities.images import Pixels


def fingerprint(pixels: Pixels) -> str:
    """Size and a hash of the pixels: `481x321 1f0c...`."""
    height, width, digest = _key(pixels, pixels)
    return f'{width}x{height} {digest.hex()}'


def entry_of(file: Path, content: str) -> tuple[str, str]:
    """A file's name, as text that can be written anywhere, and its fingerprint."""
    return file.name.encode('utf-8', 'backslashreplace').decode(), content


class EqualPictures:
    """Finds pictures whose pixels equal those of known ones, as when those to learn from are to be scored by, too.

    Cheap: of a picture that is looked up four rows are looked at, and all of it only if they are known.
    """

    def __init__(self) -> None:
        self._rows: set[tuple[int, int, bytes]] = set()
        self._files: dict[tuple[int, int, bytes], Path] = {}

    def add(self, file: Path, pixels: Pixels) -> None:
        """Remember a picture."""
        self._rows.add(_key(pixels[_some_rows(pixels)], pixels))
        self._files.setdefault(_key(pixels, pixels), file)

    def find(self, pixels: Pixels) -> Path | None:
        """The file of a known picture with equal pixels."""
        if _key(pixels[_some_rows(pixels)], pixels) not in self._rows:
            return None
        return self._files.get(_key(pixels, pixels))


def _some_rows(pixels: Pixels) -> list[int]:
    return [pixels.shape[0] * part // 5 for part in (1, 2, 3, 4)]


def _key(part: Pixels, pixels: Pixels) -> tuple[int, int, bytes]:
    return (
        pixels.shape[0],
        pixels.shape[1],
        hashlib.blake2b(np.ascontiguousarray(part).reshape(-1).data, digest_size=16).digest(),
    )
