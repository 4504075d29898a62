"""Distance of a trained network's features, which says more of how a picture looks than a distance of colors.

Johnson, Alahi, Fei-Fei, ECCV 2016, https://arxiv.org/abs/1603.08155; in super-resolution Ledig et al. (SRGAN), CVPR
2017, https://arxiv.org/abs/1609.04802, after the activation, and Wang et al. (ESRGAN), ECCVW 2018,
https://arxiv.org/abs/1809.00219, before it. Checked against XPixelGroup/BasicSR@8d56e3a and
AIDL-PROJ-2022/enhanced-srgan@2ae5559 (tests/references/gan_perceptual.npz).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from Losses.Loss import Loss
from Models.Frozen.VGG import VGG
from Utilities.optional import UnavailableError

CRITERIA: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    'l1': functional.l1_loss,
    'l2': functional.mse_loss,
    'fro': lambda sr, hr: torch.linalg.vector_norm(sr - hr),
}
"""Means over all entries of a layer; `fro` is the root of the sum of squares over the whole batch, undivided."""


class Perceptual(Loss):
    """Sum over layers of weight times distance of features; those of the true picture have no gradient.

    Args:
        layer_weights: weight by the name of a layer: `conv5_4` before the activation, `relu5_4` after it. ESRGAN's by
            default. SRGAN's is `{'relu5_4': 1}` with criterion l2; Real-ESRGAN's are 0.1 for conv1_2 and conv2_2 and 1
            for conv3_4, conv4_4 and conv5_4.
        vgg_type: the network: vgg11, vgg13, vgg16 or vgg19.
        criterion: l1, l2 or fro, see `CRITERIA`.
        normalize_input: normalize colors as ImageNet's were.
        normalize_loss: divide the weights by their sum.

    Raises:
        ValueError: for an unknown network, layer or criterion, for weights that are not numbers from 0 on with one
            above it; if the network's weights are not on the disk; for images too small for the layers.
    """

    needs_neighbors: ClassVar[bool] = True

    def __init__(
        self,
        layer_weights: Mapping[str, float] = MappingProxyType({'conv5_4': 1.0}),
        vgg_type: str = 'vgg19',
        criterion: str = 'l1',
        *,
        normalize_input: bool = True,
        normalize_loss: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(layer_weights, Mapping) or not all(
            isinstance(weight, int | float) and 0 <= weight < float('inf') for weight in layer_weights.values()
        ):
            raise ValueError(
                "layer_weights of Perceptual must be finite weights from 0 on by layer, such as {'conv5_4': 1}, got "
                f'{layer_weights!r}.'
            )
        total = sum(layer_weights.values())
        if not total:
            raise ValueError(f'layer_weights of Perceptual must have one above 0, got {dict(layer_weights)}.')
        if criterion not in CRITERIA:
            raise ValueError(f'criterion of Perceptual must be one of {", ".join(CRITERIA)}, got {criterion!r}.')
        divisor = total if normalize_loss else 1.0
        self.layer_weights = {name: weight / divisor for name, weight in layer_weights.items() if weight}
        self._compare = CRITERIA[criterion]
        try:
            self.network = VGG(list(self.layer_weights), vgg_type, normalize_input=normalize_input)
        except UnavailableError as error:
            raise ValueError(
                f'LossType.Perceptual: {error} The term is never left out: without it, the other losses are not the '
                'ones that the recipe was balanced for.'
            ) from error

    def forward(self, sr: Float[Tensor, 'batch 3 h w'], hr: Float[Tensor, 'batch 3 h w']) -> Float[Tensor, '']:
        side = self.network.minimum_side
        if min(sr.shape[-2:]) < side:
            raise ValueError(
                f'Perceptual needs at least {side}x{side} pixels side by side for its layers, got '
                f'{sr.shape[-2]}x{sr.shape[-1]}: raise queries.'
            )
        with torch.no_grad():
            true = self.network(hr)
        found = self.network(sr)
        distances = [weight * self._compare(found[name], true[name]) for name, weight in self.layer_weights.items()]
        return torch.stack(distances).sum()
