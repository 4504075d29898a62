"""Distance of Gram matrices of the colors themselves.

The Gram matrix of Gatys et al., CVPR 2016, https://doi.org/10.1109/CVPR.2016.265, is taken of the features of a trained
network, which describe texture. The study arXiv 2601.17723 takes it of red, green and blue: means of their squares and
products over all pixels. So this term knows how strong the colors are and how they go together, but not where they are.
"""

from jaxtyping import Float
from torch import Tensor

from Losses.Loss import Loss


class GramRGB(Loss):
    """Mean squared difference of the entries of both Gram matrices, which are divided by 3 times the pixels."""

    def forward(self, sr: Float[Tensor, 'batch 3 *pixels'], hr: Float[Tensor, 'batch 3 *pixels']) -> Float[Tensor, '']:
        return (_gram(sr) - _gram(hr)).square().mean()


def _gram(colors: Float[Tensor, 'batch 3 *pixels']) -> Float[Tensor, 'batch 3 3']:
    flat = colors.flatten(2)
    return flat @ flat.mT / (3 * flat.shape[2])
