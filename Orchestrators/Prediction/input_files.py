"""The pictures that an upscaling is asked for, those left out with their reasons, and the names of the results."""

import dataclasses
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from Datasets.benchmarks import is_pattern, is_picture, matches
from Orchestrators.Prediction.upscaled_pictures import is_tiff
from Utilities.images import EXTENSIONS

_SHOWN = 5


@dataclasses.dataclass
class Inputs:
    """Pictures, and files that are left out."""

    pictures: dict[Path, Path] = dataclasses.field(default_factory=dict)
    """For each file its folder within the one that was named."""

    left_out: dict[str, list[str]] = dataclasses.field(default_factory=lambda: defaultdict(list))
    """Names by reason."""

    def describe_left_out(self) -> str:
        """`left out 3: hidden: ._a.png; no pictures: notes.txt, film.mp4`; empty if nothing is."""
        if not self.left_out:
            return ''
        parts = []
        for reason, names in self.left_out.items():
            more = f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''
            parts.append(f'{reason}: {", ".join(names[:_SHOWN])}{more}')
        return f', left out {sum(map(len, self.left_out.values()))}: {"; ".join(parts)}'


def find_inputs(entries: Sequence[str], *, recursive: bool) -> Inputs:
    """The pictures that files, folders and patterns such as `*.png` mean.

    Args:
        entries: as given; `~` is the home.
        recursive: go into subfolders.

    Raises:
        FileNotFoundError, ValueError: if an entry does not exist, or there is no picture at all.
    """
    found = Inputs()
    for entry in entries:
        path = Path(entry).expanduser()
        if entry and path.is_dir():
            _walk(path, found, Path(), recursive=recursive)
        elif path.is_file():
            found.pictures.setdefault(path, Path())
        elif is_pattern(path) and (files := matches(path)):
            for file in files:
                _sort(file, found, Path())
        else:
            raise FileNotFoundError(f'There is no picture or folder {entry or repr(entry)}.')
    if not found.pictures:
        raise ValueError(
            f'There are no pictures to upscale ({", ".join(EXTENSIONS)}) in {", ".join(entries)}'
            f'{found.describe_left_out()}.'
        )
    return found


def output_files(inputs: Inputs, output: str | None, *, overwrite: bool, skip_existing: bool) -> list[Path]:
    """The file of each picture's result.

    Args:
        inputs: the pictures.
        output: a file, a folder, or None: beside the picture.
        overwrite: results may be there, to be replaced.
        skip_existing: results may be there, and stay.

    Raises:
        ValueError: if a result would replace a file, or two have one name.
    """
    files = list(inputs.pictures)
    output = None if output is None else os.path.expanduser(output)
    if output is None:
        targets = [file.with_name(f'{file.stem}_sr.png') for file in files]
    elif Path(output).suffix and not Path(output).is_dir():
        if len(files) > 1:
            raise ValueError(f'--output {output} is one file, but there are {len(files)} pictures: name a folder.')
        if Path(output).suffix.lower() != '.png' and not is_tiff(Path(output)):
            raise ValueError(f'--output must end in .png or .tif, got {output}.')
        targets = [Path(output)]
    else:
        targets = [Path(output) / inputs.pictures[file] / f'{file.stem}_sr.png' for file in files]
    taken: dict[Path, Path] = {}
    resolved = {file.resolve() for file in files}
    for file, target in zip(files, targets, strict=True):
        if target.resolve() in resolved:
            raise ValueError(f'The result {target} would overwrite an input; choose another --output.')
        if target.exists() and not overwrite and not skip_existing:
            raise ValueError(
                f'{target} exists. Give --overwrite to replace it, --skip-existing to make only what is missing, or '
                'another --output.'
            )
        if target.resolve() in taken:
            raise ValueError(f'{file} and {taken[target.resolve()]} would both become {target}; upscale them apart.')
        taken[target.resolve()] = file
    return targets


def _walk(folder: Path, found: Inputs, within: Path, *, recursive: bool) -> None:
    for entry in sorted(folder.iterdir()):
        if not entry.is_dir() or entry.name.startswith('.'):
            _sort(entry, found, within)
        elif not recursive:
            found.left_out['in subfolders (see --recursive)'].append(f'{entry}{os.sep}')
        elif entry.is_symlink():
            found.left_out['links to folders'].append(f'{entry}')
        else:
            _walk(entry, found, within / entry.name, recursive=True)


def _sort(file: Path, found: Inputs, within: Path) -> None:
    """Take a file for a picture, or leave it out."""
    if file.name.startswith('.'):
        found.left_out['hidden'].append(f'{file}')
    elif not is_picture(file):
        found.left_out['no pictures by their endings'].append(f'{file}')
    elif file.stem.endswith('_sr'):
        found.left_out['results of an earlier call'].append(f'{file}')
    else:
        found.pictures.setdefault(file, within)
