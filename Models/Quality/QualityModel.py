"""What every full-reference judge of pictures promises."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor, nn


class UnavailableError(RuntimeError):
    """A judge can't be had on this machine; the message says why and how to get it."""


class QualityModel(nn.Module, ABC):
    """A score for each picture of a batch, given its reference; both in [0, 1]."""

    higher_is_better: ClassVar[bool] = True

    unit: ClassVar[str] = ''
    """Unit of the score, such as dB."""

    decimals: ClassVar[int] = 4
    """Decimals that mean something in a table."""

    color: ClassVar[Literal['protocol', 'RGB']] = 'protocol'
    """`protocol`: takes RGB or Y, as the benchmark's protocol says. `RGB`: always needs RGB."""

    minimum_side: ClassVar[int] = 1
    """Height and width below which the judge does not apply, in pixels."""

    @abstractmethod
    def forward(
        self,
        image: Float[Tensor, 'batch channels height width'],
        reference: Float[Tensor, 'batch channels height width'],
    ) -> Float[Tensor, ' batch']:
        """Scores of the images of a batch."""
