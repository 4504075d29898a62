"""The user's own pictures, checked before anything starts and decoded once."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from Datasets.EqualPictures import entry_of
from Datasets.picture_stores import PicturesInMemory, PictureStore, Reading
from Utilities.images import ImageError, Pixels
from Utilities.problems import list_problems

_LOGGER = logging.getLogger(__name__)


class ImageFolder:
    """HR pictures as 8-bit RGB arrays of (height, width, 3), alone or with their LR partners.

    Every file is decoded and measured when the folder is built, so that a damaged one is found now and not at night.

    Args:
        files: picture files, such as `benchmarks.list_pictures` gives.
        lr_files: for each scale the LR partner of each of them; empty: they have none.
        store: where the decoded pictures are kept; None: in memory.
        minimum_side: height and width that an HR picture must have at least, in pixels.
        needed_by: what asks for that size, for the message.
        on_bad_image: `refuse` lists all bad files and stops; `skip` leaves them out, with their partners, and says so.
        on_picture: called with each HR file that is in order, and its pixels.

    Raises:
        ValueError: listing every bad file with its reason; or if none is left.
    """

    def __init__(  # noqa: PLR0913
        self,
        files: Sequence[Path],
        *,
        lr_files: Mapping[int, Sequence[Path]] | None = None,
        store: PictureStore | None = None,
        minimum_side: int = 1,
        needed_by: str = 'the network',
        on_bad_image: Literal['refuse', 'skip'] = 'refuse',
        on_picture: Callable[[Path, Pixels], None] = lambda _file, _pixels: None,
    ) -> None:
        lr_files = lr_files or {}
        self._store = PicturesInMemory() if store is None else store
        self.files: list[Path] = []
        self.lr_files: dict[int, list[Path]] = {scale: [] for scale in lr_files}
        """For each scale the LR partners of `files`."""
        self.skipped: list[str] = []
        """Why each left-out file was left out."""

        self.identity: dict[str, list[tuple[str, str]]] = {}
        """Names and fingerprints of `files`, and of their partners at each scale."""

        self._notes: Counter[str] = Counter()
        self._store.prepare([*files, *(partner for partners in lr_files.values() for partner in partners)])
        for index, file in enumerate(
            tqdm(files, desc='Reading pictures', unit='picture', disable=None, leave=False, delay=1)
        ):
            reading = self._read(file, minimum_side, needed_by)
            partners = {scale: column[index] for scale, column in lr_files.items()}
            # Each partner is read, also if one was bad, so that all bad ones are listed.
            readings = {scale: self._read(partner) for scale, partner in partners.items()}
            if reading is None or any(other is None for other in readings.values()):
                continue
            self.files.append(file)
            self._note('training pictures', file, reading)
            for scale, partner in partners.items():
                self.lr_files[scale].append(partner)
                self._note(f'LR training pictures at x{scale}', partner, readings[scale])
            on_picture(file, reading.pixels)
        self._report(len(files) * (1 + len(lr_files)), on_bad_image)

    def _note(self, what: str, file: Path, reading: Reading | None) -> None:
        assert reading is not None
        self.identity.setdefault(what, []).append(entry_of(file, reading.fingerprint))

    def _read(self, file: Path, minimum_side: int = 1, needed_by: str = '') -> Reading | None:
        """Read a picture for the first time; None, and a line in `skipped`, if it is bad."""
        try:
            reading = self._store.read(file)
            _refuse_small(file, reading.pixels, minimum_side, needed_by)
        except ImageError as error:
            self.skipped.append(str(error))
            return None
        self._notes.update(reading.notes)
        return reading

    def _report(self, count: int, on_bad_image: str) -> None:
        for note, number in sorted(self._notes.items()):
            _LOGGER.info('%d of %d pictures: %s.', number, count, note)
        if not self.skipped:
            return
        listing = list_problems(self.skipped)
        if on_bad_image == 'refuse' or not self.files:
            raise ValueError(
                f'{len(self.skipped)} of {count} pictures can not be used:{listing}\n'
                "Mend or remove them, or set on_bad_image = 'skip' to do without."
            )
        _LOGGER.warning('%d of %d pictures are left out:%s', len(self.skipped), count, listing)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {'identity': {}}  # Workers need no more than the names.

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Pixels:
        return self._store[self.files[index]]

    @property
    def pair_scales(self) -> tuple[int, ...]:
        """The scales at which there are LR partners; none: they are to be made."""
        return tuple(self.lr_files)

    def lr_partner(self, index: int, scale: int) -> Pixels:
        """The LR picture that belongs to an HR picture; its sides are those of HR over the scale, rounded down."""
        return self._store[self.lr_files[scale][index]]


def _refuse_small(file: Path, pixels: Pixels, minimum_side: int, needed_by: str) -> None:
    height, width = pixels.shape[:2]
    if min(height, width) < minimum_side:
        raise ImageError(
            f'{file} is {width}x{height} pixels, smaller than the {minimum_side}x{minimum_side} that {needed_by} needs.'
        )
