"""The user's own pictures, to any size, by a trained network."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from Datasets.benchmarks import list_pictures
from Models.TestingStrategy import TestingStrategy
from Orchestrators.Prediction.prediction import naming
from Orchestrators.Prediction.strategies import predictor_of
from Orchestrators.Prediction.trained_model import load_trained_model
from Orchestrators.Prediction.upscaled_pictures import is_tiff, refuse_without_memory, write_upscaled
from Utilities.devices import choose_device
from Utilities.images import Photo, read_header, read_image
from Utilities.PathManager import PathManager

_LOGGER = logging.getLogger(__name__)
_SMALLEST, _LARGEST = 0.05, 64.0


def upscale_files(  # noqa: PLR0913
    inputs: Sequence[str],
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    checkpoint: str | None = None,
    output: str | None = None,
    overwrite: bool = False,
    device: str = 'auto',
    max_memory: int | None = None,
) -> list[Path]:
    """Super-resolve pictures and write them as PNG, or one as TIFF.

    Args:
        inputs: files, or folders whose pictures are meant.
        scale: factor on height and width; or
        size: (width, height) of the results, as people say it.
        checkpoint: the network's file; None: the one `model_states_*_best.pth` of this folder.
        output: a file for a single picture, .png or .tif, a folder for several. None: `<name>_sr.png` beside each
            input. A TIFF is written while it is made, so it may be larger than the memory.
        overwrite: allow results that exist to be replaced; an input never is.
        device: `auto`, or a device's name.
        max_memory: MiB to do it in, see `MemoryPlanner`; pictures that need more are made in tiles.

    Returns:
        The files written.

    Raises:
        ValueError, OSError: if an input, the checkpoint or an output is at fault; nothing was written then, unless a
            picture's pixels turn out damaged later.
        RunFailedError: if memory runs out.
    """
    if max_memory is not None and max_memory < 1:
        raise ValueError(f'--max-memory must be at least 1 MiB, got {max_memory}.')
    if (scale is None) == (size is None):
        raise ValueError('Give either a scale or a size.')
    if scale is not None and not _SMALLEST <= scale <= _LARGEST:
        raise ValueError(f'The scale must be from {_SMALLEST:g} to {_LARGEST:g}, got {scale:g}.')
    files = _input_files(inputs)
    targets = _output_files(files, output, overwrite=overwrite)
    path = Path(checkpoint) if checkpoint else find_checkpoint(Path())
    chosen = choose_device(device)
    model = load_trained_model(path, chosen)
    _LOGGER.info('Using %s (%s) on %s', path, model.name, chosen)
    predict = predictor_of(model.network, TestingStrategy.Simple, chosen, None, max_memory=max_memory)
    sizes = [_size_of(file, scale, size) for file in files]
    for target, to in zip(targets, sizes, strict=True):
        if not is_tiff(target):
            refuse_without_memory(to, max_memory if chosen.type == 'cpu' else None)
    for file, target, to in zip(tqdm(files, unit='picture', disable=None), targets, sizes, strict=True):
        photo = read_image(file)
        height, width = photo.pixels.shape[:2]
        with naming(str(file), (height, width), to):
            write_upscaled(target, predict, photo, to)
        _LOGGER.info('%s (%dx%d) -> %s (%dx%d)%s', file, width, height, target, to[1], to[0], _remark(photo))
    return targets


def _size_of(file: Path, scale: float | None, size: tuple[int, int] | None) -> tuple[int, int]:
    """(height, width) of a result."""
    if size is not None:
        return size[1], size[0]
    assert scale is not None
    header = read_header(file)
    return max(1, round(header.height * scale)), max(1, round(header.width * scale))


def parse_size(text: str) -> tuple[int, int]:
    """`1200x800` to (1200, 800), width first.

    Raises:
        ValueError: if it is not two whole numbers from 1 to 100000 with an x between them.
    """
    match = re.fullmatch(r'([0-9]{1,6})[xX]([0-9]{1,6})', text)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= width <= 100_000 or not 1 <= height <= 100_000:  # noqa: PLR2004
        raise ValueError(f'A size is written as width x height in pixels, such as 1200x800, got {text!r}.')
    return width, height


def find_checkpoint(folder: Path) -> Path:
    """The one `model_states_*_best.pth` of a folder.

    Raises:
        ValueError: if there is none, or more than one to choose from.
    """
    found = []
    for path in sorted(folder.glob('model_states_*_best.pth')):
        PathManager.parse_model_name(path)
        found.append(path)
    if not found:
        raise ValueError(
            f'There is no model_states_*_best.pth in {folder.resolve()}. Train one (python train.py), or name a '
            'checkpoint with --checkpoint.'
        )
    if len(found) > 1:
        names = '\n  '.join(str(path) for path in found)
        raise ValueError(f'There are {len(found)} checkpoints; name one with --checkpoint:\n  {names}')
    return found[0]


def _input_files(inputs: Sequence[str]) -> list[Path]:
    files: list[Path] = []
    for entry in map(Path, inputs):
        if entry.is_dir():
            pictures = list_pictures(entry, 'pictures to upscale')
            # Results of an earlier call are no inputs.
            files += [file for file in pictures if not file.stem.endswith('_sr')]
        elif entry.is_file():
            files.append(entry)
        else:
            raise FileNotFoundError(f'There is no picture or folder {entry}.')
    if not files:
        raise ValueError(f'There are no pictures to upscale in {", ".join(inputs)}.')
    return files


def _output_files(files: Sequence[Path], output: str | None, *, overwrite: bool) -> list[Path]:
    if output is None:
        targets = [file.with_name(f'{file.stem}_sr.png') for file in files]
    elif Path(output).suffix and not Path(output).is_dir():
        if len(files) > 1:
            raise ValueError(f'--output {output} is one file, but there are {len(files)} pictures: name a folder.')
        if Path(output).suffix.lower() != '.png' and not is_tiff(Path(output)):
            raise ValueError(f'--output must end in .png or .tif, got {output}.')
        targets = [Path(output)]
    else:
        targets = [Path(output) / f'{file.stem}_sr.png' for file in files]
    taken: dict[Path, Path] = {}
    for file, target in zip(files, targets, strict=True):
        if target.resolve() in {other.resolve() for other in files}:
            raise ValueError(f'The result {target} would overwrite an input; choose another --output.')
        if target.exists() and not overwrite:
            raise ValueError(f'{target} exists. Give --overwrite to replace it, or another --output.')
        if target.resolve() in taken:
            raise ValueError(f'{file} and {taken[target.resolve()]} would both become {target}; upscale them apart.')
        taken[target.resolve()] = file
    return targets


def _remark(photo: Photo) -> str:
    return f' ({photo.note})' if photo.note else ''
