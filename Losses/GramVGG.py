"""Distance of Gram matrices of a trained network's features, which describe texture.

Gatys, Ecker, Bethge, CVPR 2016, https://doi.org/10.1109/CVPR.2016.265, with the normalization of Johnson, Alahi,
Fei-Fei, ECCV 2016, https://arxiv.org/abs/1603.08155: each Gram matrix is divided by its channels times its pixels.
`GramRGB` is another term: its matrices are of the colors themselves.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from Losses.Loss import Loss
from Models.Frozen.VGG import VGG
from Utilities.optional import UnavailableError


class GramVGG(Loss):
    """Sum over layers of the squared Frobenius distance of both Gram matrices, mean over the batch.

    Args:
        layers: names of VGG19's layers. The first ReLU of each block but the last, whose features are too coarse for
            the windows that one trains on.

    Raises:
        ValueError: for an unknown layer; if the weights are not on the disk; for images too small for the layers.
    """

    needs_neighbors: ClassVar[bool] = True

    def __init__(self, layers: Sequence[str] = ('relu1_1', 'relu2_1', 'relu3_1', 'relu4_1')) -> None:
        super().__init__()
        try:
            self.network = VGG(layers)
        except UnavailableError as error:
            raise ValueError(f'LossType.GramVGG: {error}') from error

    def forward(self, sr: Float[Tensor, 'batch 3 h w'], hr: Float[Tensor, 'batch 3 h w']) -> Float[Tensor, '']:
        side = self.network.minimum_side
        if min(sr.shape[-2:]) < side:
            raise ValueError(
                f'GramVGG needs at least {side}x{side} pixels side by side for its layers, got '
                f'{sr.shape[-2]}x{sr.shape[-1]}: raise queries.'
            )
        with torch.no_grad():
            true = {name: _gram(features) for name, features in self.network(hr).items()}
        distances = [
            (_gram(features) - true[name]).square().sum(dim=(1, 2)).mean()
            for name, features in self.network(sr).items()
        ]
        return torch.stack(distances).sum()


def _gram(features: Float[Tensor, 'batch channels h w']) -> Float[Tensor, 'batch channels channels']:
    # Not in half precision, which ends at 65504: a sum of thousands of squares.
    with torch.autocast(features.device.type, enabled=False):
        flat = features.flatten(2)
        flat = flat if flat.dtype == torch.float64 else flat.float()
        return flat @ flat.mT / (flat.shape[1] * flat.shape[2])
