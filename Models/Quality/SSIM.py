"""SSIM: structural similarity, as its authors define it.

Paper: Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004, https://doi.org/10.1109/TIP.2003.819861.
11x11 Gaussian window of sigma 1.5, only where it fits inside the picture; K1 = 0.01, K2 = 0.03; the mean over the map,
then over the channels. Written here because the libraries' defaults differ by up to 0.1 (window, borders, size).
"""

from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from Models.Quality.QualityModel import QualityModel

_WINDOW = 11
_SIGMA = 1.5
_C1 = 0.01**2
_C2 = 0.03**2


class SSIM(QualityModel):
    """Structural similarity in double precision; 1 for equal pictures."""

    score_range: ClassVar[tuple[float, float]] = (-1, 1)
    minimum_side: ClassVar[int] = _WINDOW

    def forward(
        self,
        image: Float[Tensor, 'batch channels height width'],
        reference: Float[Tensor, 'batch channels height width'],
    ) -> Float[Tensor, ' batch']:
        statistics = local_statistics(image.double(), reference.double())
        return (luminance(statistics) * contrast_and_structure(statistics)).mean(dim=(1, 2, 3))


class LocalStatistics(NamedTuple):
    """Gaussian-weighted moments of two images around each position where the window fits."""

    mean_x: Float[Tensor, 'batch channels h w']
    mean_y: Float[Tensor, 'batch channels h w']
    variance_x: Float[Tensor, 'batch channels h w']
    variance_y: Float[Tensor, 'batch channels h w']
    covariance: Float[Tensor, 'batch channels h w']


def local_statistics(
    x: Float[Tensor, 'batch channels height width'], y: Float[Tensor, 'batch channels height width']
) -> LocalStatistics:
    """Moments of two images in [0, 1]."""
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    return LocalStatistics(mean_x, mean_y, variance_x, variance_y, _blur(x * y) - mean_x * mean_y)


def luminance(local: LocalStatistics) -> Float[Tensor, 'batch channels h w']:
    """Similarity of the means; 1 where they are equal."""
    return (2 * local.mean_x * local.mean_y + _C1) / (local.mean_x**2 + local.mean_y**2 + _C1)


def contrast_and_structure(local: LocalStatistics) -> Float[Tensor, 'batch channels h w']:
    """Similarity of the deviations from the means; 1 where they are equal."""
    return (2 * local.covariance + _C2) / (local.variance_x + local.variance_y + _C2)


def _blur(image: Float[Tensor, 'batch channels height width']) -> Float[Tensor, 'batch channels h w']:
    """Gaussian-weighted local means, one per position where the window fits; rows, then columns."""
    position = torch.arange(_WINDOW, device=image.device, dtype=image.dtype) - _WINDOW // 2
    window = torch.exp(-(position**2) / (2 * _SIGMA**2))
    window = (window / window.sum()).expand(image.shape[1], 1, 1, _WINDOW)
    blurred = functional.conv2d(image, window.transpose(2, 3), groups=image.shape[1])
    return functional.conv2d(blurred, window, groups=image.shape[1])
