"""What is found out about pictures before a run begins."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from Datasets.BenchmarkImages import BenchmarkImages
from Utilities.color_profiles import to_srgb
from Utilities.images import ImageError, Pixels, read_image


def check_pictures(
    sets: Mapping[float, BenchmarkImages], border_px: Callable[[float], int], on_picture: Callable[[Path, Pixels], None]
) -> list[str]:
    """Decode every picture once; returns why some can't be used.

    Args:
        sets: the same HR pictures, by scale.
        border_px: pixels shaved off each side before comparing, at a scale.
        on_picture: called with each HR file that can be decoded, and its pixels.
    """
    hr_files = {file for images in sets.values() for file in images.hr_files}
    problems = []
    for file in dict.fromkeys(file for images in sets.values() for file in (*images.hr_files, *images.lr_files)):
        try:
            photo = to_srgb(read_image(file))
            pixels = photo.pixels
        except ImageError as error:
            problems.append(str(error))
            continue
        if file not in hr_files:
            continue
        on_picture(file, pixels)
        height, width = pixels.shape[:2]
        compared = {scale: _compared_side(min(height, width), scale, border_px) for scale in sets}
        too_large = [f'x{scale:g}' for scale, side in compared.items() if side < 1]
        if too_large:
            problems.append(f'{file} is {width}x{height} pixels, of which none are left to compare at {too_large[0]}.')
    return problems


def _compared_side(side: int, scale: float, border_px: Callable[[float], int]) -> int:
    """What is left of a picture's side once it is cropped to the LR picture's and its borders are off."""
    return round(math.floor(side / scale + 1e-9) * scale) - 2 * border_px(scale)
