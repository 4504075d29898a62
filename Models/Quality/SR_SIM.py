"""SR-SIM: similarity by spectral residual saliency, by piq.

Paper: Zhang, Li, ICIP 2012, https://doi.org/10.1109/ICIP.2012.6467149. On full-range gray; SR stands for spectral
residual, not for super-resolution.
"""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from Models.Quality.QualityModel import QualityModel
from Utilities.optional import import_optional


class SR_SIM(QualityModel):  # noqa: N801  as papers write it
    """Similarity of gradients, weighted by where the eye is drawn; 1 for equal pictures.

    Raises:
        UnavailableError: if the package is missing, with how to get it.
    """

    score_range: ClassVar[tuple[float, float]] = (0, 1)
    color: ClassVar[Literal['protocol', 'RGB']] = 'RGB'
    minimum_side: ClassVar[int] = 40
    needs: ClassVar[str] = 'piq'

    def __init__(self) -> None:
        super().__init__()
        self._measure = import_optional('piq', 'SR_SIM', 'piq').srsim

    def forward(
        self, image: Float[Tensor, 'batch 3 height width'], reference: Float[Tensor, 'batch 3 height width']
    ) -> Float[Tensor, ' batch']:
        # One by one: piq stretches the saliency between the extremes of the whole batch.
        pairs = zip(image.float().split(1), reference.float().split(1), strict=True)
        return torch.cat([self._measure(*pair, reduction='none') for pair in pairs])
