"""The user's own pictures, checked before anything starts and decoded once."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from Utilities.images import ImageError, Photo, Pixels, read_image

_LOGGER = logging.getLogger(__name__)
_SHOWN = 20


class ImageFolder:
    """HR pictures as 8-bit RGB arrays of (height, width, 3).

    Every file is decoded and measured when the folder is built, so that a damaged one is found now and not at night.

    Args:
        files: picture files, such as `benchmarks.list_pictures` gives.
        minimum_side: height and width that a picture must have at least, in pixels.
        needed_by: what asks for that size, for the message.
        on_bad_image: `refuse` lists all bad files and stops; `skip` leaves them out and says how many.
        in_memory: keep the decoded pictures; else each access decodes the file again.
        max_image_pixels: larger pictures are bad, by their header alone.

    Raises:
        ValueError: listing every bad file with its reason; or if none is left.
    """

    def __init__(  # noqa: PLR0913
        self,
        files: Sequence[Path],
        *,
        minimum_side: int = 1,
        needed_by: str = 'the network',
        on_bad_image: Literal['refuse', 'skip'] = 'refuse',
        in_memory: bool = True,
        max_image_pixels: int = 100_000_000,
    ) -> None:
        self._max_image_pixels = max_image_pixels
        self.files: list[Path] = []
        self._pictures: list[Pixels] | None = [] if in_memory else None
        self.skipped: list[str] = []
        """Why each left-out file was left out."""

        notes: Counter[str] = Counter()
        for file in tqdm(files, desc='Reading pictures', unit='picture', disable=None, leave=False, delay=1):
            try:
                photo = read_image(file, max_pixels=max_image_pixels)
                _refuse_small(file, photo, minimum_side, needed_by)
            except ImageError as error:
                self.skipped.append(str(error))
                continue
            notes.update(_notes_of(photo))
            self.files.append(file)
            if self._pictures is not None:
                self._pictures.append(photo.pixels)
        self._report(notes, len(files), on_bad_image)

    def _report(self, notes: Counter[str], count: int, on_bad_image: str) -> None:
        for note, number in sorted(notes.items()):
            _LOGGER.info('%d of %d pictures: %s.', number, count, note)
        if not self.skipped:
            return
        listing = '\n  '.join(self.skipped[:_SHOWN])
        more = f'\n  and {len(self.skipped) - _SHOWN} more' if len(self.skipped) > _SHOWN else ''
        if on_bad_image == 'refuse' or not self.files:
            raise ValueError(
                f'{len(self.skipped)} of {count} pictures can not be used:\n  {listing}{more}\n'
                "Mend or remove them, or set on_bad_image = 'skip' to do without."
            )
        _LOGGER.warning('%d of %d pictures are left out:\n  %s%s', len(self.skipped), count, listing, more)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Pixels:
        if self._pictures is not None:
            return self._pictures[index]
        return read_image(self.files[index], max_pixels=self._max_image_pixels).pixels


def _refuse_small(file: Path, photo: Photo, minimum_side: int, needed_by: str) -> None:
    height, width = photo.pixels.shape[:2]
    if min(height, width) < minimum_side:
        raise ImageError(
            f'{file} is {width}x{height} pixels, smaller than the {minimum_side}x{minimum_side} that {needed_by} needs.'
        )


def _notes_of(photo: Photo) -> list[str]:
    return [*([photo.note] if photo.note else []), *(['transparency ignored'] if photo.alpha is not None else [])]
