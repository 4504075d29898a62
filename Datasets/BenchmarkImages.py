"""Test pictures at one scale: LR, HR and name, from a paired folder or made on the fly."""

import dataclasses
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from Datasets.benchmarks import BENCHMARKS, official_lr_folder
from Datasets.pairing import find_partners
from Datasets.target_size import reduce_to_size, refuse_smaller
from Models.BenchmarkType import BenchmarkType
from Utilities.color_profiles import to_srgb
from Utilities.coordinates import AnyScale, scale_per_axis, scale_text
from Utilities.images import ImageError, Pixels, read_header, read_image, to_tensor
from Utilities.resize import ResizeConvention, resize

_LOGGER = logging.getLogger(__name__)


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
        lr_folder: folder of the LR pictures, whose names pair as `match_partners` says; HR is cropped to a multiple of
            them. None: the LR picture is made from the HR picture, cropped as LIIF does to round(s * floor(size / s)).
        convention: the bicubic reduction that makes it, when there is no folder.
        hr_multiple: HR is cropped to a multiple of this many pixels before that.
        size: (height, width) that HR is cropped to instead, keeping its upper left; LR is then round(size / scale).
        max_image_pixels: a larger picture is refused.

    Raises:
        ValueError: listing every picture without a partner, with two, of the wrong size or the wrong color.
    """

    def __init__(  # noqa: PLR0913
        self,
        hr_files: Sequence[Path],
        scale: AnyScale,
        *,
        lr_folder: Path | None = None,
        convention: ResizeConvention = 'pillow',
        hr_multiple: int = 1,
        size: tuple[int, int] | None = None,
        max_image_pixels: int = 100_000_000,
    ) -> None:
        self.scale = scale
        self.convention = convention
        self.max_image_pixels = max_image_pixels
        self._hr_multiple = hr_multiple
        self._size = size
        self._hr_files = list(hr_files)
        self._has_told_of_colors = False
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
        max_image_pixels: int = 100_000_000,
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
            max_image_pixels: a larger picture is refused.
        """
        # The official files belong to HR pictures that were cropped to a multiple of the scale.
        fits = hr_multiple == 1 and size is None
        folder = lr_folder or (official_lr_folder(benchmark, scale, official_scales) if fits else None)
        # They were made by MATLAB, so it also stands in where they are not at hand.
        stands_in = bool(BENCHMARKS[benchmark].lr_folders) and scale in official_scales
        made = 'matlab' if stands_in else convention
        return cls(
            hr_files,
            scale,
            lr_folder=folder,
            convention=made,
            hr_multiple=hr_multiple,
            size=size,
            max_image_pixels=max_image_pixels,
        )

    @property
    def lr_source(self) -> str:
        """Source of the LR pictures: `files`, or the reduction that makes them."""
        return 'files' if self._lr_files is not None else f'{self.convention} bicubic'

    @property
    def hr_files(self) -> list[Path]:
        """The HR pictures."""
        return self._hr_files

    @property
    def lr_files(self) -> list[Path]:
        """The LR pictures; empty if they are made from the HR pictures."""
        return self._lr_files or []

    def __len__(self) -> int:
        return len(self._hr_files)

    def __iter__(self) -> Iterator[TestPair]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> TestPair:
        file = self._hr_files[index]
        hr = self._read(file)
        if self._lr_files is not None:
            lr = self._read(self._lr_files[index])
            vertical, horizontal = scale_per_axis(self.scale)
            hr = hr[: round(lr.shape[0] * vertical), : round(lr.shape[1] * horizontal)]
        elif self._size is not None:
            lr, hr = reduce_to_size(hr, self._size, scale_per_axis(self.scale), self.convention)
        else:
            height, width = self._to_multiple((hr.shape[0], hr.shape[1]))
            lr, hr = reduce_picture(hr[:height, :width], self.scale, self.convention, file)
        return TestPair(file.stem, to_tensor(lr)[None], to_tensor(hr)[None])

    def compared_size(self, index: int, hr_size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the pair's HR, where the file has `hr_size`.

        Raises:
            ImageError: if the picture is smaller than the scale, or its LR file is unreadable.
        """
        vertical, horizontal = scale_per_axis(self.scale)
        if self._lr_files is not None:
            lr = read_header(self._lr_files[index])
            return min(hr_size[0], round(lr.height * vertical)), min(hr_size[1], round(lr.width * horizontal))
        if self._size is not None:
            return self._size
        height, width = reduced_size(self._to_multiple(hr_size), self.scale, self._hr_files[index])
        return round(height * vertical), round(width * horizontal)

    def _to_multiple(self, size: tuple[int, int]) -> tuple[int, int]:
        return size[0] // self._hr_multiple * self._hr_multiple, size[1] // self._hr_multiple * self._hr_multiple

    def _read(self, file: Path) -> Pixels:
        """A picture in sRGB; colors that could not be brought there are told once per set."""
        photo = to_srgb(read_image(file, max_pixels=self.max_image_pixels))
        if 'not applied' in photo.note and not self._has_told_of_colors:
            self._has_told_of_colors = True
            _LOGGER.warning('%s: %s. Others of the set may be alike; this is said once.', file, photo.note)
        return photo.pixels


def reduce_picture(hr: Pixels, scale: AnyScale, convention: ResizeConvention, file: Path) -> tuple[Pixels, Pixels]:
    """Crop a picture so that the scale fits, and reduce it; returns (LR, HR).

    Raises:
        ImageError: if the picture is smaller than the scale.
    """
    vertical, horizontal = scale_per_axis(scale)
    lr_size = reduced_size((hr.shape[0], hr.shape[1]), scale, file)
    cropped = hr[: round(lr_size[0] * vertical), : round(lr_size[1] * horizontal)]
    return np.array(resize(cropped, lr_size, convention), dtype=np.uint8), cropped


def reduced_size(hr_size: tuple[int, int], scale: AnyScale, file: Path) -> tuple[int, int]:
    """(height, width) of the LR picture.

    Raises:
        ImageError: if the picture is smaller than the scale.
    """
    # The small addend keeps sizes like 2.7 * 10 = 27.000000000000004 from losing a pixel, as in yinboc/liif.
    height, width = (
        math.floor(side / along + 1e-9) for side, along in zip(hr_size, scale_per_axis(scale), strict=True)
    )
    if min(height, width) < 1:
        raise ImageError(f'{file} is {hr_size[1]}x{hr_size[0]} pixels, too small to be reduced by {scale_text(scale)}.')
    return height, width
