from enum import Enum


class SavedModelType(Enum):
    """Which checkpoint of a run. The value is what stands in the file's name."""

    Last = 'last'
    """The newest state, from which training continues."""

    Best = 'best'
    """The state with the highest validation PSNR so far."""
