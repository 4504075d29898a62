from enum import Enum


class SamplingType(Enum):
    """Which HR pixels of a training crop the network is asked for."""

    Scattered = 'Scattered'
    """Random pixels without repetition, as LIIF trains. They have no neighbors: a row is not an image row."""
