"""MS-SSIM: structural similarity at five scales, as its authors define it.

Paper: Wang, Simoncelli, Bovik, Asilomar 2003, https://doi.org/10.1109/ACSSC.2003.1292216. Contrast and structure are
compared at each scale, luminance at the coarsest only; between scales, means of 2x2 pixels, with the border repeated
where a side is odd, as MATLAB's `imfilter` with `symmetric` does. Means below zero count as zero, as they have no power
of a fraction.
"""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from Models.Quality.QualityModel import QualityModel
from Models.Quality.SSIM import contrast_and_structure, local_statistics, luminance

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


class MS_SSIM(QualityModel):  # noqa: N801  as papers write it
    """Structural similarity over five scales in double precision; 1 for equal pictures."""

    score_range: ClassVar[tuple[float, float]] = (0, 1)
    minimum_side: ClassVar[int] = 161
    """The window of 11 pixels has to fit at the coarsest scale."""

    def forward(
        self,
        image: Float[Tensor, 'batch channels height width'],
        reference: Float[Tensor, 'batch channels height width'],
    ) -> Float[Tensor, ' batch']:
        x, y = image.double(), reference.double()
        product = x.new_ones(x.shape[:2])  # (B, C)
        for scale, weight in enumerate(_WEIGHTS):
            statistics = local_statistics(x, y)
            similarity = contrast_and_structure(statistics)
            if scale == len(_WEIGHTS) - 1:
                similarity = similarity * luminance(statistics)
            product = product * similarity.mean(dim=(2, 3)).clamp(min=0) ** weight
            x, y = _halve(x), _halve(y)
        return product.mean(dim=1)


def _halve(image: Float[Tensor, 'batch channels height width']) -> Float[Tensor, 'batch channels h w']:
    height, width = image.shape[-2:]
    return functional.avg_pool2d(functional.pad(image, (0, width % 2, 0, height % 2), mode='replicate'), 2)
