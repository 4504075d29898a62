"""Whether a super-resolved picture still says what its input said."""

import math

import numpy as np
from jaxtyping import Float
from torch import Tensor

from Utilities.resize import ResizeConvention, resize


def scale_consistency(
    sr: Float[Tensor, '1 3 height width'], lr: Float[Tensor, '1 3 h w'], convention: ResizeConvention
) -> float:
    """PSNR in dB between the input and the result, reduced to the input's size; on RGB, over all pixels.

    Nothing is rounded, so the result is scored, not its file. The true picture itself reaches 55 to 60 dB, as its LR
    picture is rounded to 8 bits. Equal pictures have infinity.

    Args:
        sr: the result, in [0, 1].
        lr: the input, in [0, 1].
        convention: the bicubic reduction that made the input.
    """
    picture, expected = (image[0].permute(1, 2, 0).cpu().double().numpy() for image in (sr, lr))
    error = float(np.mean((resize(picture, (lr.shape[2], lr.shape[3]), convention) - expected) ** 2))
    return math.inf if error == 0 else -10 * math.log10(error)
