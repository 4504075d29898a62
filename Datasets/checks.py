"""Checks of pictures before a run begins."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from Datasets.BenchmarkImages import BenchmarkImages
from Utilities.color_profiles import to_srgb
from Utilities.coordinates import AnyScale, scale_text
from Utilities.images import ImageError, Pixels, read_image

Scale = TypeVar('Scale', bound=AnyScale)


def check_pictures(
    sets: Mapping[Scale, BenchmarkImages],
    border_px: Callable[[Scale], int],
    on_picture: Callable[[Path, Pixels], None] = lambda _file, _pixels: None,
) -> list[str]:
    """Decode every picture once; returns why some can't be used.

    Args:
        sets: the same HR pictures, by scale.
        border_px: pixels shaved off each side before comparing, at a scale.
        on_picture: called with each file that can be decoded, LR ones too, and its pixels.
    """
    hr_files = {file: index for images in sets.values() for index, file in enumerate(images.hr_files)}
    limit = max((images.max_image_pixels for images in sets.values()), default=1)
    problems = []
    for file in dict.fromkeys(file for images in sets.values() for file in (*images.hr_files, *images.lr_files)):
        try:
            pixels = to_srgb(read_image(file, max_pixels=limit)).pixels
        except ImageError as error:
            problems.append(str(error))
            continue
        on_picture(file, pixels)
        if file in hr_files:
            problems += _too_small(sets, border_px, hr_files[file], (pixels.shape[0], pixels.shape[1]))
    return list(dict.fromkeys(problems))


def _too_small(
    sets: Mapping[Scale, BenchmarkImages], border_px: Callable[[Scale], int], index: int, size: tuple[int, int]
) -> list[str]:
    """The first scale at which nothing is left of a picture, once it is cropped and its borders are off."""
    for scale, images in sets.items():
        border = border_px(scale)
        try:
            compared = images.compared_size(index, size)
        except ImageError as error:
            return [str(error)]
        if min(compared) <= 2 * border:
            return [
                f'{images.hr_files[index]} is {size[1]}x{size[0]} pixels, of which none are left to compare at '
                f'x{scale_text(scale)}, where {border} pixels are shaved off each side.'
            ]
    return []
