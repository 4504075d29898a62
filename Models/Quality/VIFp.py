"""VIFp: visual information fidelity in the pixel domain, by piq.

Paper: Sheikh, Bovik, IEEE TIP 2006, https://doi.org/10.1109/TIP.2005.859378; this is the authors' later approximation
without wavelets. On full-range gray scaled to [0, 255], for which the noise variance of 2 is meant; torchmetrics gives
the same only if it is fed that scale, and silently another number for [0, 1]. The wavelet VIF has other values.
"""

import math
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from Models.Quality.QualityModel import QualityModel
from Utilities.optional import import_optional


class VIFp(QualityModel):
    """Share of the reference's information that is left; 1 for equal pictures, more for a raised contrast.

    Raises:
        UnavailableError: if the package is missing, with how to get it.
    """

    score_range: ClassVar[tuple[float, float]] = (0, math.inf)
    color: ClassVar[Literal['protocol', 'RGB']] = 'RGB'
    minimum_side: ClassVar[int] = 41
    needs: ClassVar[str] = 'piq'

    def __init__(self) -> None:
        super().__init__()
        self._measure = import_optional('piq', 'VIFp', 'piq').vif_p

    def forward(
        self, image: Float[Tensor, 'batch 3 height width'], reference: Float[Tensor, 'batch 3 height width']
    ) -> Float[Tensor, ' batch']:
        return self._measure(image.float(), reference.float(), reduction='none')
