"""Which LR picture belongs to which HR picture: by name, never by order."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from Datasets.benchmarks import list_pictures
from Utilities.images import ImageError, read_header, read_image
from Utilities.problems import list_problems
from Utilities.scales import AnyScale, scale_per_axis, scale_text


def find_partners(hr_files: Sequence[Path], lr_folder: Path, scale: AnyScale) -> list[Path]:
    """The LR file of each HR file, by name.

    Raises:
        ValueError: listing every problem.
    """
    partners, problems = match_partners(hr_files, lr_folder, scale)
    if problems:
        raise ValueError(f'HR and LR pictures at x{scale_text(scale)} do not pair:{list_problems(problems)}')
    return partners


def match_partners(hr_files: Sequence[Path], lr_folder: Path, scale: AnyScale) -> tuple[list[Path], list[str]]:
    """The LR files named `<HR name>x<scale>` or `<HR name>`, one for each HR file, and every problem there is."""
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
    return partners, problems


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
