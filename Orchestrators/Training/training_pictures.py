"""The pictures of a training run, read and checked before its first step."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from Configuration.TrainingConfiguration import TrainingConfiguration
from Datasets.checks import check_pictures
from Datasets.EqualPictures import EqualPictures, entry_of, fingerprint
from Datasets.ImageFolder import ImageFolder, find_training_files
from Datasets.picture_stores import PicturesInMemory, PicturesInTheirFiles, PictureStore
from Datasets.PicturesOnDisk import PicturesOnDisk
from Orchestrators.Training.Validation import Validation
from Utilities.files import list_problems
from Utilities.images import Pixels
from Utilities.PathManager import PathManager

_LOGGER = logging.getLogger(__name__)


class PicturesRead(NamedTuple):
    """What a run learns from, and what these and the validation's pictures are."""

    images: ImageFolder
    identity: dict[str, list[tuple[str, str]]]
    """Names and fingerprints, in order, by what the pictures are for."""


def read_pictures(
    recipe: TrainingConfiguration, validation: Validation, after_each: Callable[[], None]
) -> PicturesRead:
    """Decode all pictures, those of the validation too, so that every bad one is found now.

    A warning tells which pictures are in both sets.

    Args:
        recipe: the training pictures, and what is asked of them.
        validation: the pictures to validate on.
        after_each: called after each picture; it may end the run.

    Raises:
        ValueError, OSError: listing what is wrong with the training and the validation pictures.
    """
    files = find_training_files(recipe.train_entries, recipe.train_lr_entries, recipe.scale_range, recipe.first_k)
    known = EqualPictures()
    shared: list[str] = []
    validated: list[tuple[str, str]] = []

    def remember(file: Path, pixels: Pixels) -> None:
        known.add(file, pixels)
        validated.append(entry_of(file, fingerprint(pixels)))
        after_each()

    def look_up(file: Path, pixels: Pixels) -> None:
        other = known.find(pixels)
        if other is not None:
            shared.append(f'{file}' if file == other else f'{file} equals {other}')
        after_each()

    bad = check_pictures(validation.images, validation.border_px, remember)
    complaints = [f'{len(bad)} validation pictures can not be used:{list_problems(bad)}\nMend or remove them.'] * bool(
        bad
    )
    try:
        images = ImageFolder(
            files.hr,
            lr_files=files.lr,
            store=_store(recipe),
            minimum_side=_minimum_side(recipe, files.lr),
            needed_by=f'input_patch = {recipe.input_patch} at scale_range = {recipe.scale_range}',
            on_bad_image=recipe.on_bad_image,
            on_picture=look_up,
        )
    except ValueError as error:
        raise ValueError('\n'.join([str(error), *complaints])) from error
    if complaints:
        raise ValueError(complaints[0])
    if shared:
        _LOGGER.warning(
            'The validation is on pictures that are trained on, so its scores say little:%s', list_problems(shared)
        )
    return PicturesRead(images, images.identity | {'validation pictures': validated})


def _minimum_side(recipe: TrainingConfiguration, lr_files: dict[int, list[Path]]) -> int:
    return round(recipe.input_patch * (max(lr_files) if lr_files else recipe.scale_range[1]))


def _store(recipe: TrainingConfiguration) -> PictureStore:
    match recipe.cache:
        case 'memory':
            return PicturesInMemory(recipe.max_image_pixels)
        case 'disk':
            folder = PathManager.cache_folder() if recipe.cache_folder is None else Path(recipe.cache_folder)
            limit_bytes = int(recipe.cache_limit_gib * 2**30)
            return PicturesOnDisk(folder.expanduser().absolute(), limit_bytes, recipe.max_image_pixels)
        case 'none':
            return PicturesInTheirFiles(recipe.max_image_pixels)
