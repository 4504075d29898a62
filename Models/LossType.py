from enum import Enum


class LossType(Enum):
    """The losses. A member names its class and file: `LossType.PixelL1` is `PixelL1` in `Losses/PixelL1.py`."""

    PixelL1 = 'PixelL1'
    """Mean absolute difference of colors."""
