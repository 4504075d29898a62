"""Test pictures at one scale: LR, HR and name, from a paired folder or made on the fly."""

import dataclasses
import logging
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from Datasets.benchmarks import BENCHMARKS, list_pictures, official_lr_folder
from Datasets.target_size import reduce_to_size, refuse_smaller
from Models.BenchmarkType import BenchmarkType
from Utilities.images import ImageError, Pixels, read_header, read_image, to_tensor
from Utilities.resize import ResizeConvention, resize
from Utilities.scales import AnyScale, scale_per_axis, scale_text

_LOGGER = logging.getLogger(__name__)
_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class TestPair:
    """One test picture."""

    name: str
    """The file's name without its ending."""

    lr: Float[Tensor, '1 3 h w']
    hr: Float[Tensor, '1 3 height width']


class BenchmarkImages:
    """The pictures of a benchmark at one scale. Nothing but the names and sizes is read before a picture is asked for.

    Args:
        hr_files: the HR pictures.
        scale: HR size over LR size, at least 1; per axis (vertical, horizontal).
        lr_folder: folder of the LR pictures, named `<HR name>x<scale>` or `<HR name>`; HR is cropped to a multiple of
            them. None: the LR picture is made from the HR picture, cropped as LIIF does to round(s * floor(size / s)).
        convention: the bicubic reduction that makes it, when there is no folder.
        hr_multiple: HR is cropped to a multiple of this many pixels before that.
        size: (height, width) that HR is cropped to instead, keeping its upper left; LR is then round(size / scale).

    Raises:
        ValueError: listing every picture without a partner, with two, of the wrong size or the wrong color.
    """

    def __init__(
        self,
        hr_files: Sequence[Path],
        scale: AnyScale,
        *,
        lr_folder: Path | None = None,
        convention: ResizeConvention = 'pillow',
        hr_multiple: int = 1,
        size: tuple[int, int] | None = None,
    ) -> None:
        self.scale = scale
        self.convention = convention
        self._hr_multiple = hr_multiple
        self._size = size
        self._hr_files = list(hr_files)
        if size is not None:
            refuse_smaller(self._hr_files, size)
        self._lr_files = None if lr_folder is None else find_partners(self._hr_files, lr_folder, scale)

    @classmethod
    def of_protocol(  # noqa: PLR0913
        cls,
        benchmark: BenchmarkType,
        hr_files: Sequence[Path],
        scale: AnyScale,
        lr_folder: Path | None = None,
        *,
        official_scales: Sequence[int] = (2, 3, 4),
        convention: ResizeConvention = 'pillow',
        hr_multiple: int = 1,
        size: tuple[int, int] | None = None,
    ) -> 'BenchmarkImages':
        """The pictures as a protocol has them; LIIF's, where nothing else is said.

        Args:
            benchmark: where its files are.
            hr_files: the HR pictures.
            scale: HR size over LR size; per axis (vertical, horizontal).
            lr_folder: the user's own LR files instead.
            official_scales: scales at which the official LR files are the input.
            convention: the bicubic reduction that makes LR at the others.
            hr_multiple: HR is cropped to a multiple of this many pixels first.
            size: (height, width) that HR is cropped to instead.
        """
        # The official files belong to HR pictures that were cropped to a multiple of the scale.
        fits = hr_multiple == 1 and size is None
        folder = lr_folder or (official_lr_folder(benchmark, scale, official_scales) if fits else None)
        # They were made by MATLAB, so it also stands in where they are not at hand.
        stands_in = bool(BENCHMARKS[benchmark].lr_folders) and scale in official_scales
        made = 'matlab' if stands_in else convention
        return cls(hr_files, scale, lr_folder=folder, convention=made, hr_multiple=hr_multiple, size=size)

    @property
    def lr_source(self) -> str:
        """Where the LR pictures come from: `files`, or how they are made."""
        return 'files' if self._lr_files is not None else f'{self.convention} bicubic'

    def __len__(self) -> int:
        return len(self._hr_files)

    def __iter__(self) -> Iterator[TestPair]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> TestPair:
        file = self._hr_files[index]
        hr = read_image(file).pixels
        if self._lr_files is not None:
            lr_photo = read_image(self._lr_files[index])
            lr = lr_photo.pixels
            vertical, horizontal = scale_per_axis(self.scale)
            hr = hr[: round(lr.shape[0] * vertical), : round(lr.shape[1] * horizontal)]
        elif self._size is not None:
            lr, hr = reduce_to_size(hr, self._size, scale_per_axis(self.scale), self.convention)
        else:
            multiple = self._hr_multiple
            hr = hr[: hr.shape[0] // multiple * multiple, : hr.shape[1] // multiple * multiple]
            lr, hr = reduce_picture(hr, self.scale, self.convention, file)
        return TestPair(file.stem, to_tensor(lr)[None], to_tensor(hr)[None])


def reduce_picture(hr: Pixels, scale: AnyScale, convention: ResizeConvention, file: Path) -> tuple[Pixels, Pixels]:
    """Crop a picture so that the scale fits, and reduce it; returns (LR, HR).

    Raises:
        ValueError: if the picture is smaller than the scale.
    """
    # The small addend keeps sizes like 2.7 * 10 = 27.000000000000004 from losing a pixel, as in yinboc/liif.
    vertical, horizontal = scale_per_axis(scale)
    lr_size = (math.floor(hr.shape[0] / vertical + 1e-9), math.floor(hr.shape[1] / horizontal + 1e-9))
    if min(lr_size) < 1:
        raise ImageError(
            f'{file} is {hr.shape[1]}x{hr.shape[0]} pixels, too small to be reduced by {scale_text(scale)}.'
        )
    cropped = hr[: round(lr_size[0] * vertical), : round(lr_size[1] * horizontal)]
    return np.array(resize(cropped, lr_size, convention), dtype=np.uint8), cropped


def find_partners(hr_files: Sequence[Path], lr_folder: Path, scale: AnyScale) -> list[Path]:
    """The LR file of each HR file, by name.

    Raises:
        ValueError: listing every problem.
    """
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for file in list_pictures(lr_folder, f'the LR pictures at x{scale_text(scale)}'):
        by_stem[file.stem].append(file)
    names = defaultdict(list)
    for hr_file in hr_files:
        names[hr_file.stem].append(hr_file)
    problems = [
        f'{" and ".join(str(file) for file in files)} have the same name' for files in names.values() if len(files) > 1
    ]
    partners = []
    for hr_file in hr_files:
        found = by_stem.get(f'{hr_file.stem}x{scale_text(scale)}') or by_stem.get(hr_file.stem) or []
        if len(found) == 1:
            partners.append(found[0])
            problems += _mismatch(hr_file, found[0], scale)
        elif found:
            problems.append(f'{hr_file} has {len(found)} partners: {", ".join(str(file) for file in found)}')
        else:
            problems.append(
                f'{hr_file} has no partner {hr_file.stem}x{scale_text(scale)} or {hr_file.stem} in {lr_folder}'
            )
    if problems:
        listing = '\n  '.join(problems[:_SHOWN])
        more = f'\n  and {len(problems) - _SHOWN} more' if len(problems) > _SHOWN else ''
        raise ValueError(f'HR and LR pictures at x{scale_text(scale)} do not pair:\n  {listing}{more}')
    return partners


def _mismatch(hr_file: Path, lr_file: Path, scale: AnyScale) -> list[str]:
    """What keeps two files of the right names from being a pair."""
    try:
        hr, lr = read_header(hr_file), read_header(lr_file)
        has_colors = hr.is_gray and not lr.is_gray and _has_colors(lr_file)
    except ImageError as error:
        return [str(error)]
    problems = [f'{lr_file} has colors, but {hr_file} is gray'] if has_colors else []
    vertical, horizontal = scale_per_axis(scale)
    sides = ((hr.height, lr.height, vertical), (hr.width, lr.width, horizontal))
    # A partner is HR over the scale, rounded down: the surplus of HR is less than one LR pixel.
    if not all(-0.5 <= hr_side - lr_side * along < along for hr_side, lr_side, along in sides):
        size = f'{lr.width}x{lr.height}, which is not {hr.width}x{hr.height} over {scale_text(scale)}'
        problems.append(f'{lr_file} is {size} of {hr_file}')
    return problems


def _has_colors(file: Path) -> bool:
    pixels = read_image(file).pixels
    return bool((pixels != pixels[..., :1]).any())
