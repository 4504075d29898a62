"""The user's own pictures, to any size, by a trained network."""

import contextlib
import errno
import logging
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from Models.TestingStrategy import TestingStrategy
from Orchestrators.Prediction.input_files import find_inputs, output_files
from Orchestrators.Prediction.prediction import NetworkPredictor, naming
from Orchestrators.Prediction.strategies import predictor_of
from Orchestrators.Prediction.trained_model import load_trained_model
from Orchestrators.Prediction.upscaled_pictures import is_tiff, refuse_without_memory, write_upscaled
from Utilities.command_line import RunFailedError
from Utilities.devices import choose_device
from Utilities.files import list_problems
from Utilities.images import Photo, read_header, read_image
from Utilities.PathManager import PathManager

_LOGGER = logging.getLogger(__name__)
_SMALLEST, _LARGEST = 0.05, 64.0


class _Job(NamedTuple):
    file: Path
    target: Path
    size: tuple[int, int]
    """(height, width) of the result."""


def upscale_files(  # noqa: PLR0913
    inputs: Sequence[str],
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    checkpoint: str | None = None,
    output: str | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    recursive: bool = False,
    device: str = 'auto',
    max_memory: int | None = None,
    max_image_pixels: int = 100_000_000,
) -> list[Path]:
    """Super-resolve pictures and write them as PNG, or one as TIFF.

    Args:
        inputs: files, folders whose pictures are meant, or patterns such as `*.png`.
        scale: factor on height and width; or
        size: (width, height) of the results, as people say it.
        checkpoint: the network's file; None: the one `model_states_*_best.pth` of this folder.
        output: a file for a single picture, .png or .tif, a folder for several. None: `<name>_sr.png` beside each
            input. A TIFF is written while it is made, so it may be larger than the memory.
        overwrite: allow results that exist to be replaced; an input never is.
        skip_existing: leave out pictures whose results exist.
        recursive: go into subfolders, whose names the results keep below `output`.
        device: `auto`, or a device's name.
        max_memory: MiB to do it in, see `MemoryPlanner`; pictures that need more are made in tiles.
        max_image_pixels: a larger input is refused.

    Returns:
        The files written.

    Raises:
        ValueError, OSError: if a setting, the checkpoint, an output or the only picture is at fault; nothing was
            written then.
        RunFailedError: if pictures could not be upscaled, each named with its reason, after all others were.
    """
    for option, number in (('--max-memory', max_memory), ('--max-image-pixels', max_image_pixels)):
        if number is not None and number < 1:
            raise ValueError(f'{option} must be at least 1{" MiB" * (option == "--max-memory")}, got {number}.')
    if (scale is None) == (size is None):
        raise ValueError('Give either a scale or a size.')
    if overwrite and skip_existing:
        raise ValueError('Give either --overwrite or --skip-existing: results that exist are replaced, or stay.')
    _refuse_scale(scale)
    found = find_inputs(inputs, recursive=recursive)
    targets = output_files(found, output, overwrite=overwrite, skip_existing=skip_existing)
    chosen = choose_device(device)
    path = Path(checkpoint) if checkpoint else find_checkpoint(Path())
    model = load_trained_model(path, chosen)
    _LOGGER.info('Using %s (%s) on %s', path, model.name, chosen)
    failures = _Failures(len(found.pictures))
    jobs = []
    for file, target in zip(found.pictures, targets, strict=True):
        with failures.noting(file):
            job = _Job(file, target, _size_of(file, scale, size))
            if skip_existing and target.exists():
                _refuse_other_size(job)
                found.left_out['there already'].append(f'{target}')
                continue
            if not is_tiff(target):
                refuse_without_memory(job.size, max_memory if chosen.type == 'cpu' else None)
            jobs.append(job)
    predict = predictor_of(model.network, TestingStrategy.Simple, chosen, None, max_memory=max_memory)
    written = []
    for job in tqdm(jobs, unit='picture', disable=None):
        with failures.noting(job.file):
            photo = read_image(job.file, max_pixels=max_image_pixels)
            model.warn_beyond_training((photo.pixels.shape[0], photo.pixels.shape[1]), job.size)
            _upscale(photo, job, predict)
            written.append(job.target)
    if len(found.pictures) > 1 or found.left_out:
        _LOGGER.info('Wrote %d%s.', len(written), found.describe_left_out())
    failures.report()
    return written


def _refuse_scale(scale: float | None) -> None:
    if scale is not None and not _SMALLEST <= scale <= _LARGEST:
        raise ValueError(f'The scale must be from {_SMALLEST:g} to {_LARGEST:g}, got {scale:g}.')


class _Failures:
    """Errors of single pictures, while the others are upscaled.

    Args:
        count: of all pictures; the error of an only one is not held back.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._reasons: list[str] = []

    @contextlib.contextmanager
    def noting(self, file: Path) -> Iterator[None]:
        """Go on after an error within the block, unless no other picture could do better."""
        try:
            yield
        except (ValueError, OSError, RunFailedError) as error:
            if self._count == 1 or getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT):
                raise
            reason = str(error) if str(file) in str(error) else f'{file}: {error}'
            self._reasons.append(reason)
            _LOGGER.warning('%s', reason)

    def report(self) -> None:
        """Raise RunFailedError with all of them, if there are any."""
        if self._reasons:
            raise RunFailedError(
                f'{len(self._reasons)} of {self._count} pictures could not be upscaled:{list_problems(self._reasons)}'
            )


def _upscale(photo: Photo, job: _Job, predict: NetworkPredictor) -> None:
    height, width = photo.pixels.shape[:2]
    with naming(str(job.file), (height, width), job.size):
        write_upscaled(job.target, predict, photo, job.size)
    remark = f' ({photo.note})' if photo.note else ''
    _LOGGER.info('%s (%dx%d) -> %s (%dx%d)%s', job.file, width, height, job.target, *job.size[::-1], remark)


def _refuse_other_size(job: _Job) -> None:
    there = read_header(job.target)
    if (there.height, there.width) != job.size:
        raise ValueError(
            f'{job.target} exists, but is {there.width}x{there.height} and not {job.size[1]}x{job.size[0]}: it is of '
            'another call. Give --overwrite to replace it, or another --output.'
        )


def _size_of(file: Path, scale: float | None, size: tuple[int, int] | None) -> tuple[int, int]:
    """(height, width) of a result."""
    header = read_header(file)
    if size is not None:
        return size[1], size[0]
    assert scale is not None
    return max(1, round(header.height * scale)), max(1, round(header.width * scale))


def parse_scale(text: str) -> float:
    """`3.7`, `x3.7` or `3.7x` to 3.7.

    Raises:
        ValueError: if it is no positive number.
    """
    number = text.strip().lower().removeprefix('x').removesuffix('x')
    if re.fullmatch(r'[0-9]+,[0-9]+', number):
        raise ValueError(f'The scale is written with a point: write {number.replace(",", ".")}, got {text!r}.')
    try:
        scale = float(number)
    except ValueError:
        scale = math.nan
    if not 0 < scale < math.inf:
        raise ValueError(f'The scale is one positive number for both axes, such as 3.7, got {text!r}; else see --size.')
    return scale


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
