"""GMSD: gradient magnitude similarity deviation, by piq.

Paper: Xue, Zhang, Mou, Bovik, IEEE TIP 2014, https://arxiv.org/abs/1308.3052. On full-range gray, halved once.
"""

from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from Models.Quality.QualityModel import QualityModel
from Utilities.optional import import_optional


class GMSD(QualityModel):
    """Spread of the similarity between gradients: 0 for equal pictures; worse the larger.

    Raises:
        UnavailableError: if the package is missing, with how to get it.
    """

    higher_is_better: ClassVar[bool] = False
    score_range: ClassVar[tuple[float, float]] = (0, 0.5)
    color: ClassVar[Literal['protocol', 'RGB']] = 'RGB'
    minimum_side: ClassVar[int] = 2
    needs: ClassVar[str] = 'piq'

    def __init__(self) -> None:
        super().__init__()
        self._measure = import_optional('piq', 'GMSD', 'piq').gmsd

    def forward(
        self, image: Float[Tensor, 'batch 3 height width'], reference: Float[Tensor, 'batch 3 height width']
    ) -> Float[Tensor, ' batch']:
        return self._measure(image.float(), reference.float(), reduction='none')
