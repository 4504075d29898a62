"""Pairs of HR and LR pictures: by name, never by order."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from Datasets.benchmarks import list_pictures
from Utilities.coordinates import AnyScale, scale_per_axis, scale_text
from Utilities.files import list_problems
from Utilities.images import ImageError, read_header, read_image


def find_partners(hr_files: Sequence[Path], lr_folder: str | Path, scale: AnyScale) -> list[Path]:
    """The LR file of each HR file, by name.

    Raises:
        ValueError: listing every problem.
    """
    partners, problems = match_partners(hr_files, lr_folder, scale)
    if problems:
        raise ValueError(f'HR and LR pictures at x{scale_text(scale)} do not pair:{list_problems(problems)}')
    return partners


def match_partners(hr_files: Sequence[Path], lr_folder: str | Path, scale: AnyScale) -> tuple[list[Path], list[str]]:
    """The LR file of each HR file, and every problem there is.

    For an HR file `a` or `a_HR` at x2 these are `a`, `ax2`, `a_x2`, `a_LR`, `a_LRx2`, `a_LR2` (RealSR), `a_SRF_2_LR`
    (SelfExSR, whose HR files end alike) and what differs from them in `-` and upper case. Two that fit are a problem,
    and so is one that fits two HR files.
    """
    named: dict[str, list[Path]] = defaultdict(list)
    for file in list_pictures(lr_folder, f'the LR pictures at x{scale_text(scale)}'):
        for name in _names(file.stem, _lr_endings(scale_text(scale))):
            named[name].append(file)
    found = {hr_file: _candidates(hr_file, named, scale) for hr_file in hr_files}
    claims = Counter(files[0] for files in found.values() if len(files) == 1)
    problems = _equal_names(hr_files)
    partners = []
    for hr_file in hr_files:
        files = found[hr_file]
        if len(files) == 1:
            partners.append(files[0])
            problems += _mismatch(hr_file, files[0], scale)
        elif files:
            problems.append(f'{hr_file} has {len(files)} partners: {", ".join(str(file) for file in files)}')
        else:
            problems.append(
                f'{hr_file} has no partner {hr_file.stem}x{scale_text(scale)} or {hr_file.stem} in {lr_folder}'
            )
    if not problems:
        problems = [
            f'{file} may belong to {" or to ".join(str(hr_file) for hr_file in found if found[hr_file] == [file])}'
            for file, count in claims.items()
            if count > 1
        ]
    return partners, problems


def _candidates(hr_file: Path, named: Mapping[str, Sequence[Path]], scale: AnyScale) -> list[Path]:
    """The LR files that fit an HR file's name; only where none does, those that fit it without its ending."""
    for name in sorted(_names(hr_file.stem, _hr_endings(scale_text(scale))), key=len, reverse=True):
        found = [file for file in named.get(name, ()) if file != hr_file]
        if found:
            return found
    return []


def _lr_endings(scale: str) -> tuple[str, ...]:
    scales = [f'{mark}x{scale}' for mark in ('', '_', '-')]
    lr = [f'{mark}lr{behind}' for mark in '_-' for behind in ('', scale, *scales)]
    return ('', *scales, *lr, *(f'{one}_lr' for one in scales), f'_srf_{scale}', f'_srf_{scale}_lr')


def _hr_endings(scale: str) -> tuple[str, ...]:
    return '', '_hr', '-hr', f'_srf_{scale}', f'_srf_{scale}_hr'


def _names(stem: str, endings: Sequence[str]) -> list[str]:
    """The name without each ending that it has."""
    lowered = stem.lower()
    return [stem[: len(stem) - len(end)] for end in endings if lowered.endswith(end) and len(end) < len(stem)]


def _equal_names(hr_files: Sequence[Path]) -> list[str]:
    by_name = defaultdict(list)
    for file in hr_files:
        by_name[file.stem].append(file)
    return [
        f'{" and ".join(str(file) for file in files)} have the same name'
        for files in by_name.values()
        if len(files) > 1
    ]


def _mismatch(hr_file: Path, lr_file: Path, scale: AnyScale) -> list[str]:
    """Reasons for which two files of the right names are no pair."""
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
