"""The training pictures: which files they are, and their LR partners; checked before all else and decoded once."""

import dataclasses
import itertools
import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from Datasets.benchmarks import BENCHMARKS, matches, training_files
from Datasets.EqualPictures import entry_of
from Datasets.pairing import match_partners
from Datasets.picture_stores import PicturesInMemory, PictureStore, Reading
from Models.BenchmarkType import BenchmarkType
from Utilities.files import list_problems
from Utilities.images import ImageError, Pixels
from Utilities.PathManager import PathManager


@dataclasses.dataclass(frozen=True)
class TrainingFiles:
    """Files in the order in which samples count them."""

    hr: list[Path]

    lr: dict[int, list[Path]]
    """For each scale the partners of `hr`. Empty: LR pictures are made from the HR pictures."""


def find_training_files(
    data: Sequence[BenchmarkType | str],
    lr_data: Sequence[BenchmarkType | str] | None,
    scale_range: tuple[float, float],
    first_k: int | None = None,
) -> TrainingFiles:
    """The files of all folders, in the order given, and within each by name.

    Args:
        data: folders, or sets with training pictures.
        lr_data: for each of them a folder of LR pictures with `{scale}` for the scale, or the set whose official ones
            to take. None: no pairs.
        scale_range: smallest and largest scale; pairs are taken at the whole ones for which there are folders.
        first_k: only the first so many HR pictures of all; None: every one.

    Raises:
        FileNotFoundError: for a folder that is missing or holds no pictures.
        ValueError: for a file given twice, fewer pictures than first_k, or pairs that do not fit, listing every one.
    """
    groups = [training_files(entry) for entry in data]
    _refuse_repeated([file for group in groups for file in group])
    if first_k is not None:
        count = sum(map(len, groups))
        if first_k > count:
            raise ValueError(f'first_k = {first_k}, but there are only {count} training pictures.')
        for group in groups:
            del group[first_k:]
            first_k -= len(group)
    hr = [file for group in groups for file in group]
    return TrainingFiles(hr, {} if lr_data is None else _pair(groups, lr_data, scale_range))


def _refuse_repeated(files: Sequence[Path]) -> None:
    """Also under two names: a picture that counts twice would silently weigh twice."""
    seen: dict[tuple[int, int], Path] = {}
    problems = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            continue  # Reading it says why.
        other = seen.setdefault((status.st_dev, status.st_ino), file)
        if other is not file:
            problems.append(f'{file}' if str(other) == str(file) else f'{other} is also {file}')
    if problems:
        raise ValueError(f'{len(problems)} of the training pictures are given twice:{list_problems(problems)}')


def _pair(
    groups: Sequence[Sequence[Path]], lr_data: Sequence[BenchmarkType | str], scale_range: tuple[float, float]
) -> dict[int, list[Path]]:
    folders = [_lr_folders(entry, scale_range) for entry in lr_data]
    scales = sorted(folders[0])
    for entry, other in zip(lr_data, folders, strict=True):
        if sorted(other) != scales:
            first, second = (', '.join(f'x{scale}' for scale in sorted(found)) for found in (folders[0], other))
            raise ValueError(
                f'train_lr_data must have folders for the same scales: {lr_data[0]} has {first}, but {entry} has '
                f'{second}. Add what is missing, or choose another scale_range.'
            )
    lr: dict[int, list[Path]] = {}
    problems = []
    for scale in scales:
        matched = [match_partners(group, found[scale], scale) for group, found in zip(groups, folders, strict=True)]
        lr[scale] = list(itertools.chain.from_iterable(partners for partners, _ in matched))
        problems += [problem for _, found in matched for problem in found]
    if problems:
        raise ValueError(f'{len(problems)} HR and LR training pictures do not pair:{list_problems(problems)}')
    return lr


def _lr_folders(entry: BenchmarkType | str, scale_range: tuple[float, float]) -> dict[int, Path]:
    """The folders that exist, by scale."""
    if entry == '':
        raise ValueError("train_lr_data must name the folders of the LR pictures, got ''; the current one is '.'.")
    if isinstance(entry, str):
        names = [Path(entry).expanduser()]
    else:
        names = [root / name for root in PathManager.dataset_roots() for name in BENCHMARKS[entry].training_lr_folders]
        if not names:
            raise ValueError(f'train_lr_data: {entry.name} has no LR training pictures; name a folder.')
    looked = [
        (scale, Path(str(name).replace('{scale}', str(scale))))
        for name in names
        for scale in range(math.ceil(scale_range[0]), math.floor(scale_range[1]) + 1)
    ]
    found = {scale: folder for scale, folder in reversed(looked) if folder.is_dir() or matches(folder)}
    if not found:
        places = ', '.join(str(folder) for _, folder in looked) or 'none, as there is no whole scale in it'
        raise FileNotFoundError(
            f'train_lr_data has no folder for a scale within scale_range = {scale_range}. Looked for: {places}.'
        )
    return found


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
        """Reasons of the files that are left out."""

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
