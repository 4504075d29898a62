"""Test pictures of a fixed size: HR is cropped to it and reduced, or LR files tell the scale that leads there."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from Datasets.benchmarks import list_pictures
from Utilities.images import Pixels, read_header
from Utilities.resize import ResizeConvention, resize

_SHOWN = 20


def reduce_to_size(
    hr: Pixels, size: tuple[int, int], scale: tuple[float, float], convention: ResizeConvention
) -> tuple[Pixels, Pixels]:
    """Crop a picture to (height, width), keeping its upper left, and reduce it to round(size / scale), at least 1.

    Returns:
        LR and HR.
    """
    lr_size = (max(1, round(size[0] / scale[0])), max(1, round(size[1] / scale[1])))
    cropped = hr[: size[0], : size[1]]
    return np.array(resize(cropped, lr_size, convention), dtype=np.uint8), cropped


def refuse_smaller(hr_files: Sequence[Path], size: tuple[int, int]) -> None:
    """Refuse HR pictures that can't be cropped to (height, width).

    Raises:
        ValueError: listing them.
    """
    headers = [(file, read_header(file)) for file in hr_files]
    small = [
        f'{file} is {header.width}x{header.height}'
        for file, header in headers
        if header.height < size[0] or header.width < size[1]
    ]
    _refuse(small, f'HR pictures are smaller than the size asked for, {size[1]}x{size[0]}')


def scale_to_size(hr_files: Sequence[Path], lr_folder: Path, size: tuple[int, int]) -> tuple[float, float]:
    """The scale (vertical, horizontal) from the LR files of some HR pictures to a (height, width) that these have.

    Raises:
        ValueError: if an HR picture has another size, or the LR pictures are not all of one size.
    """
    headers = [(file, read_header(file)) for file in hr_files]
    other = [
        f'{file} is {header.width}x{header.height}' for file, header in headers if (header.height, header.width) != size
    ]
    _refuse(other, f'HR pictures have another size than the one asked for, {size[1]}x{size[0]}')
    names = {file.stem for file in hr_files}
    found = [file for file in list_pictures(lr_folder, 'the LR pictures') if file.stem in names]
    sizes = {(header.height, header.width) for header in map(read_header, found)}
    if len(sizes) != 1:
        listing = ', '.join(f'{width}x{height}' for height, width in sorted(sizes)) or 'none of the names'
        raise ValueError(
            f'The LR pictures in {lr_folder} must be named as their HR pictures and have one size, found {listing}; '
            'test each size apart.'
        )
    ((height, width),) = sizes
    return size[0] / height, size[1] / width


def _refuse(problems: Sequence[str], meaning: str) -> None:
    if problems:
        listing = '\n  '.join(problems[:_SHOWN])
        more = f'\n  and {len(problems) - _SHOWN} more' if len(problems) > _SHOWN else ''
        raise ValueError(f'{meaning}:\n  {listing}{more}')
