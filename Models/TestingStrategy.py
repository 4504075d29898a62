from enum import Enum


class TestingStrategy(Enum):
    """How a picture goes through the network at test time."""

    Simple = 'Simple'
    """The whole picture at once: encoded once, then queried in chunks of coordinates."""

    Patched = 'Patched'
    """Tiles side by side, each cut out and upscaled as a picture of its own: little memory, but seams."""

    OverlappingPatched = 'OverlappingPatched'
    """Tiles cut out with a margin, of which only the tile itself is kept: little memory, and the picture is the same as
    upscaled whole if the margin is the network's receptive field."""
