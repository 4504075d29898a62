"""What every metric of pictures promises."""

import logging
import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor, nn

from Utilities.optional import UnavailableError

__all__ = ['QualityModel', 'UnavailableError']

_LOGGER = logging.getLogger(__name__)


class QualityModel(nn.Module, ABC):
    """A score for each picture of a batch, given its reference; both in [0, 1].

    The constructor raises `UnavailableError` if the metric can't be had on this machine.
    """

    higher_is_better: ClassVar[bool] = True

    score_range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    """Least and greatest score that pictures can have."""

    unit: ClassVar[str] = ''
    """Unit of the score, such as dB."""

    decimals: ClassVar[int] = 4
    """Decimals that mean something in a table."""

    color: ClassVar[Literal['protocol', 'RGB']] = 'protocol'
    """`protocol`: takes RGB or Y, as the benchmark's protocol says. `RGB`: always gets RGB, and turns it gray itself
    where its definition is on gray."""

    minimum_side: ClassVar[int] = 1
    """Height and width below which the metric does not apply, in pixels."""

    needs_reference: ClassVar[bool] = True
    """False: looks at the picture alone."""

    needs: ClassVar[str] = ''
    """Packages and files that it needs besides those in requirements.txt."""

    _has_told = False

    def applies_to(self, size: tuple[int, int]) -> bool:
        """Whether pictures of a size (height, width) can be scored; the first that can't is told in a warning."""
        if min(size) >= self.minimum_side:
            return True
        if not self._has_told:
            self._has_told = True
            _LOGGER.warning(
                '%s is missing for pictures whose compared part is smaller than %d pixels, such as %dx%d.',
                type(self).__name__,
                self.minimum_side,
                size[1],
                size[0],
            )
        return False

    @abstractmethod
    def forward(
        self,
        image: Float[Tensor, 'batch channels height width'],
        reference: Float[Tensor, 'batch channels height width'],
    ) -> Float[Tensor, ' batch']:
        """Scores of the images of a batch."""
