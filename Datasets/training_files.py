"""Which pictures a run learns from: those of several folders, and their LR partners."""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from pathlib import Path

from Datasets.benchmarks import BENCHMARKS, matches, training_files
from Datasets.pairing import match_partners
from Models.BenchmarkType import BenchmarkType
from Utilities.PathManager import PathManager
from Utilities.problems import list_problems


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
