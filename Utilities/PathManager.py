"""Names of files and folders. Touches no disk.

Both spellings work: `from Utilities import PathManager; PathManager.GetModelSavePath(...)` and
`from Utilities.PathManager import PathManager; PathManager.GetModelSavePath(...)`.
"""

import dataclasses
import os
import re
from enum import Enum
from pathlib import Path

_NAME = r'[A-Za-z0-9-]{1,40}'
_NUMBER = r'[0-9]+(?:\.[0-9]+)?'
_SCHEME = re.compile(
    rf'model_states_(?P<encoder>{_NAME})_(?P<decoder>{_NAME})_(?P<recipe>{_NAME})'
    rf'_Patch_(?P<patch>[0-9]+)_Scale_(?P<low>{_NUMBER})_(?P<high>{_NUMBER})_(?P<save_type>best|last|[1-9][0-9]*)\.pth'
)


@dataclasses.dataclass(frozen=True)
class ModelName:
    """Parts of the name of a checkpoint file."""

    encoder: str
    decoder: str
    recipe: str
    input_patch: int
    scale_range: tuple[float, float]
    save_type: str
    """`best`, `last` or an epoch's number."""


class PathManager:
    """The documented naming scheme of checkpoints, and where data sets are looked for."""

    @staticmethod
    def GetModelSavePath(  # noqa: N802, PLR0913, PLR0917  documented like this
        encoder: Enum | str,
        decoder: Enum | str,
        recipe: Enum | str,
        input_patch: int,
        scale_range: tuple[float, float],
        save_type: Enum | str | int,
        folder: str | Path = '.',
    ) -> Path:
        """Path of a checkpoint: `./model_states_EDSR_LIIF_Simple_Patch_48_Scale_1_4_best.pth`.

        Args:
            encoder, decoder, recipe: members of the vocabulary, or names.
            input_patch: LR patch side in pixels.
            scale_range: scales trained on; whole ones are written without a decimal point.
            save_type: a `SavedModelType`, `best`, `last`, or an epoch's number.
            folder: where the checkpoints are.

        Raises:
            ValueError: for a name that is not 1 to 40 letters, digits or hyphens, as names become files.
        """
        names = []
        for setting, value in (('encoder', encoder), ('decoder', decoder), ('recipe', recipe)):
            name = value.name if isinstance(value, Enum) else value
            if not re.fullmatch(_NAME, name):
                raise ValueError(
                    f'{setting} must be 1 to 40 letters, digits or hyphens, as it names a file, got {name!r}.'
                )
            names.append(name)
        low, high = (_number(scale) for scale in scale_range)
        kind = save_type.value if isinstance(save_type, Enum) else save_type
        if not re.fullmatch(r'best|last|[1-9][0-9]*', str(kind)):
            raise ValueError(f"save_type must be 'best', 'last' or an epoch's number, got {kind!r}.")
        return Path(folder) / f'model_states_{"_".join(names)}_Patch_{input_patch}_Scale_{low}_{high}_{kind}.pth'

    @staticmethod
    def checkpoint(run_folder: Path, save_type: Enum | int) -> Path:
        """A checkpoint of the run that has this folder: the inverse of `run_folder`."""
        kind = save_type.value if isinstance(save_type, Enum) else save_type
        return run_folder.with_name(f'{run_folder.name}_{kind}.pth')

    @staticmethod
    def run_folder(checkpoint: Path) -> Path:
        """Folder of a run's log, TensorBoard events and sample pictures: a checkpoint's name without its last part."""
        return checkpoint.with_name(checkpoint.stem.rpartition('_')[0])

    @staticmethod
    def parse_model_name(path: str | Path) -> ModelName:
        """Read a checkpoint's name; the inverse of `GetModelSavePath`.

        Raises:
            ValueError: if the name does not follow the scheme.
        """
        match = _SCHEME.fullmatch(Path(path).name)
        if match is None:
            raise ValueError(
                f'{path} is not named model_states_<encoder>_<decoder>_<recipe>_Patch_<n>_Scale_<a>_<b>_<kind>.pth.'
            )
        return ModelName(
            encoder=match['encoder'],
            decoder=match['decoder'],
            recipe=match['recipe'],
            input_patch=int(match['patch']),
            scale_range=(float(match['low']), float(match['high'])),
            save_type=match['save_type'],
        )

    @staticmethod
    def dataset_roots() -> tuple[Path, ...]:
        """Folders in which data sets are looked for: $ASSR_DATASETS if it is set, then ./datasets."""
        named = os.environ.get('ASSR_DATASETS')
        return (*([Path(named).expanduser()] if named else []), Path('datasets'))

    @staticmethod
    def cache_folder() -> Path:
        """Folder for what can be made again: assr in $XDG_CACHE_HOME if it is set, else in ~/.cache."""
        named = os.environ.get('XDG_CACHE_HOME')
        return (Path(named) if named else Path.home() / '.cache') / 'assr'


def _number(scale: float) -> str:
    if not 0 < scale < 1e6:  # noqa: PLR2004  beyond that Python writes exponents
        raise ValueError(f'A scale in scale_range must be a positive number, got {scale}.')
    return f'{float(scale):.10f}'.rstrip('0').rstrip('.')


GetModelSavePath = PathManager.GetModelSavePath
