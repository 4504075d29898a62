from enum import Enum


class TestingStrategy(Enum):
    """How a picture goes through the network at test time."""

    Simple = 'Simple'
    """The whole picture at once: encoded once, then queried in chunks of coordinates."""
