from Configuration.losses import LossTerm
from Configuration.settings.ComputationSettings import ComputationSettings
from Configuration.settings.DataSettings import DataSettings
from Configuration.settings.NetworkSettings import NetworkSettings
from Configuration.settings.OptimizationSettings import OptimizationSettings
from Configuration.settings.SamplingSettings import SamplingSettings
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
