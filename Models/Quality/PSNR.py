import math
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from Models.Quality.QualityModel import QualityModel


class PSNR(QualityModel):
    """Peak signal-to-noise ratio, 10 log10(1 / mean squared difference), over all channels and pixels.

    Computed in double precision. Equal pictures have infinity.
    """

    score_range: ClassVar[tuple[float, float]] = (0, math.inf)
    unit: ClassVar[str] = 'dB'
    decimals: ClassVar[int] = 3

    def forward(
        self,
        image: Float[Tensor, 'batch channels height width'],
        reference: Float[Tensor, 'batch channels height width'],
    ) -> Float[Tensor, ' batch']:
        error = (image.double() - reference.double()).square().mean(dim=(1, 2, 3))
        return -10 * error.log10()
