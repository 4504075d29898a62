from enum import Enum


class SamplingType(Enum):
    """Which HR pixels of a training crop the network is asked for."""

    Scattered = 'Scattered'
    """Random pixels without repetition, as LIIF trains. They have no neighbors: a row is not an image row."""

    Window = 'Window'
    """A random square window of as many pixels, so that losses see true neighbors."""

    Crop = 'Crop'
    """Every pixel of the crop: scale squared times as many as the LR patch has, and as much slower. The samples of a
    batch have one scale, as they must be of one size."""
