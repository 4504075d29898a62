"""What is found out about pictures before a run begins."""

from collections.abc import Callable, Sequence
from pathlib import Path

from Datasets.BenchmarkImages import BenchmarkImages
from Utilities.images import ImageError, Pixels, read_image


def check_pictures(sets: Sequence[BenchmarkImages], on_picture: Callable[[Path, Pixels], None]) -> list[str]:
    """Decode every picture once; returns why some can't be used.

    Args:
        sets: the same HR pictures at several scales.
        on_picture: called with each HR file that can be decoded, and its pixels.
    """
    largest = {file: images.scale for images in sorted(sets, key=_reduction) for file in images.hr_files}
    problems = []
    for file in dict.fromkeys(file for images in sets for file in (*images.hr_files, *images.lr_files)):
        try:
            pixels = read_image(file).pixels
        except ImageError as error:
            problems.append(str(error))
            continue
        if file not in largest:
            continue
        on_picture(file, pixels)
        height, width = pixels.shape[:2]
        if min(height, width) < largest[file]:
            problems.append(f'{file} is {width}x{height} pixels, too small for x{largest[file]:g}.')
    return problems


def _reduction(images: BenchmarkImages) -> float:
    return images.scale
