"""The benchmarks: where their files are, and at which scales they are tested. What is compared, a protocol says."""

import dataclasses
import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from Datasets.photographs import photograph_files
from Models.BenchmarkType import BenchmarkType
from Utilities.coordinates import AnyScale, scale_text
from Utilities.images import EXTENSIONS
from Utilities.PathManager import PathManager


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A row of the table. Folders are relative to the data sets' folder; the first that exists is taken."""

    hr_folders: tuple[str, ...]

    scales: tuple[float, ...]
    """Scales that papers report."""

    kind: Literal['classic', 'DIV2K', 'photographs'] = 'classic'
    """Kinds that protocols treat apart: most compare `classic` on Y, the others on RGB, `DIV2K` with a wider border."""

    lr_folders: tuple[str, ...] = ()
    """Official LR files, with `{scale}` for the scale."""

    training_folders: tuple[str, ...] = ()
    """HR pictures to train on, if the set has any."""

    training_lr_folders: tuple[str, ...] = ()
    """Official LR files of the training pictures, with `{scale}` for the scale."""


_FIELD_SCALES = (2, 3, 4, 6, 8, 12)


def _classic(name: str, scales: tuple[float, ...] = _FIELD_SCALES) -> Benchmark:
    return Benchmark(
        hr_folders=(f'{name}/HR', f'benchmark/{name}/HR', name),
        lr_folders=(f'{name}/LR_bicubic/X{{scale}}', f'benchmark/{name}/LR_bicubic/X{{scale}}'),
        scales=scales,
    )


BENCHMARKS = {
    BenchmarkType.Photographs: Benchmark(hr_folders=(), scales=(2, 2.7, 3, 4), kind='photographs'),
    BenchmarkType.BENCHMARK: Benchmark(hr_folders=(), scales=(2, 3, 4)),
    BenchmarkType.Set5: _classic('Set5'),
    BenchmarkType.Set14: _classic('Set14'),
    BenchmarkType.B100: _classic('B100'),
    BenchmarkType.Urban100: _classic('Urban100'),
    BenchmarkType.SVT: _classic('SVT'),
    BenchmarkType.CelebA_HQ: _classic('CelebA_HQ'),
    BenchmarkType.DIV2K: Benchmark(
        hr_folders=('DIV2K/DIV2K_valid_HR',),
        lr_folders=('DIV2K/DIV2K_valid_LR_bicubic/X{scale}',),
        training_folders=('DIV2K/DIV2K_train_HR',),
        training_lr_folders=('DIV2K/DIV2K_train_LR_bicubic/X{scale}',),
        scales=(2, 3, 4, 6, 12, 18, 24, 30),
        kind='DIV2K',
    ),
}


def hr_files(benchmark: BenchmarkType, folder: str | Path | None = None) -> list[Path]:
    """The HR pictures that a benchmark is tested on, by name.

    Args:
        benchmark: the benchmark.
        folder: take the pictures from here instead of from the data sets' folder.

    Raises:
        FileNotFoundError: saying which folders were looked for, and what to put there.
    """
    if folder is not None:
        return list_pictures(folder, f'the HR pictures of {benchmark.name}')
    if benchmark is BenchmarkType.Photographs:
        return photograph_files('held-out')
    return list_pictures(_find(BENCHMARKS[benchmark].hr_folders, f'the HR pictures of {benchmark.name}'), 'them')


def training_files(data: BenchmarkType | str) -> list[Path]:
    """The HR pictures of a training set: one that has training pictures, or a folder.

    Raises:
        FileNotFoundError: saying which folders were looked for, and what to put there.
        ValueError: for a set without training pictures.
    """
    if isinstance(data, str):
        return list_pictures(data, 'the training pictures (train_data)')
    if data is BenchmarkType.Photographs:
        return photograph_files('training')
    if not BENCHMARKS[data].training_folders:
        able = [name.name for name, row in BENCHMARKS.items() if row.training_folders] + ['Photographs']
        raise ValueError(f'{data.name} has no training pictures. train_data may be {", ".join(able)} or a folder.')
    return list_pictures(_find(BENCHMARKS[data].training_folders, f'the training pictures of {data.name}'), 'them')


def official_lr_folder(
    benchmark: BenchmarkType, scale: AnyScale, official_scales: Sequence[int] = (2, 3, 4)
) -> Path | None:
    """Folder of the official LR files at a scale; None where the protocol makes its own, or they are not there."""
    if scale not in official_scales:
        return None
    names = [name.format(scale=scale_text(scale)) for name in BENCHMARKS[benchmark].lr_folders]
    return next((root / name for root in PathManager.dataset_roots() for name in names if (root / name).is_dir()), None)


def is_picture(file: Path) -> bool:
    """Whether a file is taken for a picture: by its ending, unless it is hidden, as macOS' `._a.png` beside `a.png`."""
    return file.suffix.lower() in EXTENSIONS and not file.name.startswith('.')


def list_pictures(place: str | Path, meaning: str) -> list[Path]:
    """The picture files of a folder, by name; or of all files and folders that a pattern means, such as `mine/*.png`.

    `~` is the home. Hidden files are no pictures.

    Raises:
        ValueError: if it is empty, which would mean the current folder.
        FileNotFoundError: if it is missing or holds none, with what it holds instead.
    """
    if place == '':
        raise ValueError(f"The folder of {meaning} must be named, got ''; the current one is '.'.")
    folder = Path(place).expanduser()
    entries = sorted(folder.iterdir()) if folder.is_dir() else matches(folder)
    # A link that leads nowhere is a picture that is missing: reading it says so.
    files = [file for file in entries if is_picture(file) and (file.is_file() or _is_lost_link(file))]
    if not files:
        if not entries and not folder.is_dir():
            what = 'there is no such file' if is_pattern(folder) else 'is not a folder'
            raise FileNotFoundError(f'{place} should hold {meaning}, but {what}.')
        held = ', '.join(entry.name for entry in entries[:5]) or 'nothing'
        raise FileNotFoundError(
            f'{place} should hold {meaning} ({", ".join(EXTENSIONS)}), but holds none of them: {held}.'
        )
    return files


def is_pattern(path: Path) -> bool:
    """Whether a path means others by `*`, `?` or `[]`, and is none itself."""
    return glob.has_magic(str(path)) and not path.exists()


def matches(pattern: Path) -> list[Path]:
    """Files that a pattern means, and those in the folders that it means; sorted, nothing hidden."""
    found = [Path(name) for name in glob.glob(str(pattern), recursive=True)] if is_pattern(pattern) else []
    inner = [file for folder in found if folder.is_dir() for file in folder.iterdir()]
    return sorted({*(file for file in found if not file.is_dir()), *inner})


def _is_lost_link(file: Path) -> bool:
    return file.is_symlink() and not file.exists()


def _find(names: Sequence[str], meaning: str) -> Path:
    looked = [root / name for root in PathManager.dataset_roots() for name in names]
    for folder in looked:
        if folder.is_dir():
            return folder
    places = ' or '.join(str(folder) for folder in looked)
    raise FileNotFoundError(
        f'There is no folder {places}. Put {meaning} there, or set the environment variable ASSR_DATASETS to the '
        f'folder that holds {looked[0].relative_to(PathManager.dataset_roots()[0]).parts[0]}.'
    )
