"""Paths of the files of a configuration's network, and names of pictures within file names."""

import hashlib
import os
from pathlib import Path

from Configuration.settings.NetworkSettings import ModelConfiguration
from Models.SavedModelType import SavedModelType
from Utilities.PathManager import PathManager

_LONGEST = 150
"""Bytes of a picture's name within another name, of the 255 that most file systems allow."""


def checkpoint_path(configuration: ModelConfiguration, kind: SavedModelType | int, folder: str | Path) -> Path:
    """The checkpoint of a kind, or of an epoch that was kept."""
    return PathManager.GetModelSavePath(
        configuration.encoder,
        configuration.decoder,
        configuration.recipe_name,
        configuration.input_patch,
        configuration.scale_range,
        kind,
        folder=folder,
    )


def run_folder(configuration: ModelConfiguration, folder: str | Path) -> Path:
    """The folder of the run's log, TensorBoard events and sample pictures."""
    return PathManager.run_folder(checkpoint_path(configuration, SavedModelType.Last, folder))


def part_of_name(name: str) -> str:
    """A picture's name as a part of other names: text, and not too long; else its beginning, and a number."""
    text = name.encode('utf-8', 'backslashreplace').decode()
    if text == name and len(name.encode()) <= _LONGEST:
        return name
    digest = hashlib.blake2b(os.fsencode(name), digest_size=4).hexdigest()
    return f'{text.encode()[:_LONGEST].decode(errors="ignore")}-{digest}'
