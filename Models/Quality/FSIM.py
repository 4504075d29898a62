"""FSIM: feature similarity, by piq.

Paper: Zhang, Zhang, Mou, Zhang, IEEE TIP 2011, https://doi.org/10.1109/TIP.2011.2109730. On full-range gray, without
the colors that `FSIMc` adds; reduced by round(shorter side / 256) as the authors do.
"""

from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from Models.Quality.QualityModel import QualityModel
from Utilities.optional import import_optional


class FSIM(QualityModel):
    """Similarity of phase congruency and gradients; 1 for equal pictures.

    Raises:
        UnavailableError: if the package is missing, with how to get it.
    """

    score_range: ClassVar[tuple[float, float]] = (0, 1)
    color: ClassVar[Literal['protocol', 'RGB']] = 'RGB'
    minimum_side: ClassVar[int] = 2
    needs: ClassVar[str] = 'piq'

    def __init__(self) -> None:
        super().__init__()
        self._measure = import_optional('piq', 'FSIM', 'piq').fsim

    def forward(
        self, image: Float[Tensor, 'batch 3 height width'], reference: Float[Tensor, 'batch 3 height width']
    ) -> Float[Tensor, ' batch']:
        return self._measure(image.float(), reference.float(), chromatic=False, reduction='none')
