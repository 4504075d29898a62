"""Where the files of a configuration's network are."""

from pathlib import Path

from Configuration.ModelConfiguration import ModelConfiguration
from Models.SavedModelType import SavedModelType
from Utilities.PathManager import PathManager


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
