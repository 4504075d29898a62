"""The data of a training run, whatever it trains: samples by number, and batches of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import torch


class Position(NamedTuple):
    """The place of a sample in a run."""

    epoch: int
    sample: int
    """Number of the sample in the epoch."""

    batch: int = 0
    """Number of its batch in the epoch; it decides the scale if that is common to a batch, and nothing else."""


@runtime_checkable
class Batch(Protocol):
    """The samples of one step."""

    def to(self, device: torch.device) -> 'Batch':
        """The same batch on another device."""

    def describe(self) -> str:
        """Its size in the words of the settings that decide it, for an out-of-memory message."""


Samples_co = TypeVar('Samples_co', bound=Batch, covariant=True)


@runtime_checkable
class SampleSource(Protocol[Samples_co]):
    """Samples as a pure function of their position, so that workers and restarts change nothing."""

    def __len__(self) -> int:
        """Samples per epoch."""

    def __getitems__(self, positions: Sequence[Position]) -> Samples_co:
        """The samples at some positions, as one batch."""

    def file_of(self, sample: int) -> Path:
        """The file that a sample of an epoch is made from, to be named where it fails."""
