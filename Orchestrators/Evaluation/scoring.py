"""The pixels, and the color, in which a super-resolved image is compared with its reference."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from Orchestrators.Evaluation.color import luma

ScoreColor = Literal['RGB', 'Y']


def shave(
    image: Float[Tensor, 'batch channels height width'], border_px: int
) -> Float[Tensor, 'batch channels inner_height inner_width']:
    """Cut `border_px` pixels off each side.

    Raises:
        ValueError: if nothing would be left.
    """
    height, width = image.shape[-2:]
    if 2 * border_px >= min(height, width):
        raise ValueError(f'Shaving {border_px} pixels off each side leaves nothing of a picture of {height}x{width}.')
    return image[..., border_px : height - border_px, border_px : width - border_px]


def in_color(
    image: Float[Tensor, 'batch 3 height width'], color: ScoreColor
) -> Float[Tensor, 'batch channels height width']:
    """RGB as it is, or its luma (BT.601)."""
    return luma(image) if color == 'Y' else image
