import copy
import dataclasses
from typing import Self

from Configuration.settings.ComputationSettings import ComputationSettings
from Configuration.settings.DataSettings import DataSettings
from Configuration.settings.NetworkSettings import NetworkSettings
from Configuration.settings.OptimizationSettings import OptimizationSettings
from Configuration.settings.RunSettings import RunSettings
from Configuration.settings.SamplingSettings import LossTerm, SamplingSettings
from Configuration.settings.ValidationSettings import ValidationSettings

__all__ = ['LossTerm', 'TrainingConfiguration']


class TrainingConfiguration(
    NetworkSettings, DataSettings, SamplingSettings, ValidationSettings, OptimizationSettings, ComputationSettings
):
    """What a training run of super-resolution is, in the groups of `Configuration/settings/`.

    Change a setting by assigning it in a subclass, or by name when building.

    Raises:
        ValueError: for an unknown setting, a wrong type, an impossible value; the message names what is allowed.
    """

    @property
    def recipe_name(self) -> str:
        """The recipe's name as it stands in file names, with that of the branch."""
        return f'{super().recipe_name}-{self.branch}' if self.branch else super().recipe_name

    @property
    def may_change_in_branch(self) -> tuple[str, ...]:
        """What may be other than the parent's: all that does not decide the network, its update and its rates."""
        groups = (RunSettings, DataSettings, SamplingSettings, ValidationSettings)
        names = [field.name for group in groups for field in dataclasses.fields(group)]
        return (*names, 'losses', 'batch_size', 'input_patch', 'scale_range', 'clip_gradient', 'seed')

    def without_branch(self) -> Self:
        """The parent's settings, as far as file names go."""
        parent = copy.copy(self)
        object.__setattr__(parent, 'branch', '')
        return parent

    def check(self) -> None:
        """Refuse settings of different groups that contradict each other."""
        super().check()
        smallest, largest = self.scale_range
        for entry in self.train_lr_entries or ():
            if smallest < largest and isinstance(entry, str) and '{scale}' not in entry:
                raise ValueError(
                    f"train_lr_data must hold {{scale}} where the folders' names have the scale, such as "
                    f"'LR/X{{scale}}', got {entry!r}."
                )
