"""LTE: local texture estimator, which describes the surroundings of each LR pixel by waves.

Paper: Lee, Jin, CVPR 2022, https://arxiv.org/abs/2111.08918.
Written from the paper. Checked against outputs of jaewon-lee-b/lte@a8815d6 (tests/references/lte.npz, lte_plus.npz).
Differs from it: the cell is given once per image, so the phase is computed once; amplitudes and frequencies come from
one convolution; and the last layer, being linear, comes after the local ensemble. The numbers are the same up to
rounding. Where the scales of the two axes differ, the limit on the cell applies to each by itself.
"""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from Models.Decoders.Decoder import Decoder
from Models.Decoders.local_ensemble import find_neighbors, gather_pixels
from Models.Layers.bilinear import sample_bilinear
from Models.Layers.convolutions import conv3x3
from Models.Layers.fourier_features import fourier_features, waves_of
from Models.Layers.MLP import MLP
from Models.Layers.pointwise import pointwise_mlp
from Utilities.coordinates import Crop, relative_cell


class LTEContext(NamedTuple):
    """What LTE knows of an image before any coordinate is asked for."""

    waves: Float[Tensor, 'batch pixels waves']
    """Amplitudes and frequencies of each LR pixel."""

    lr: Float[Tensor, 'batch 3 h w']
    """The image that the answer is added to."""

    lr_size: tuple[int, int]
    """Of the image that spans [-1, 1]."""

    crop: Crop | None = None
    """The part of the image that the context is of; None: all."""


class LTE(Decoder):
    """An MLP from Fourier features, whose waves the image chooses, to a color, added to the interpolated LR image.

    LTE+ is the authors' faster variant for whole pictures. It is the same function with its weights in another order,
    so it matters only for weights that are loaded.

    Args:
        feature_dim: channels of the encoder's features.
        hidden_dim: Fourier features, cosines and sines together.
        hidden: widths of the MLP's hidden layers.
        plus: the weights are laid out as LTE+ has them: the channels of `freq` are all of y, then all of x, instead of
            y and x in turn, and the MLP is `layers`, of 1x1 convolutions, instead of `imnet`.
        cell_scale_max: largest scale whose cell the network is shown, as it was trained up to 4; None: no limit.

    Raises:
        ValueError: for a hidden_dim that is not even, or a limit that is not positive.
    """

    receptive_field = 2
    knows_crops = True

    def __init__(
        self,
        feature_dim: int,
        hidden_dim: int = 256,
        hidden: Sequence[int] = (256, 256, 256),
        plus: bool = False,
        cell_scale_max: float | None = 4.0,
    ) -> None:
        super().__init__()
        if hidden_dim < 2 or hidden_dim % 2:
            raise ValueError(f'hidden_dim must be an even number of at least 2, got {hidden_dim}.')
        self.plus = plus
        self.limit_cell(cell_scale_max)
        self.coef = conv3x3(feature_dim, hidden_dim)
        self.freq = conv3x3(feature_dim, hidden_dim)
        self.phase = nn.Linear(2, hidden_dim // 2, bias=False)
        if plus:
            self.layers = pointwise_mlp(hidden_dim, hidden, 3)
        else:
            self.imnet = MLP(hidden_dim, hidden, 3)

    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> LTEContext:
        waves = waves_of(features, self.coef, self.freq, interleaved=not self.plus)
        return LTEContext(waves, lr, (features.shape[2], features.shape[3]))

    def query(
        self, context: LTEContext, coord: Float[Tensor, 'batch queries 2'], cell: Float[Tensor, 'batch 2']
    ) -> Float[Tensor, 'batch queries 3']:
        neighbors = find_neighbors(coord, context.lr_size, local_ensemble=True, crop=context.crop)
        phase = self.phase(relative_cell(cell, context.lr_size))[:, None]  # (B, 1, hidden_dim / 2)
        waves = gather_pixels(context.waves, neighbors.pixel)  # (4, B, Q, 2 * hidden_dim)
        layers = self.layers if self.plus else self.imnet.layers
        hidden = layers[:-1](fourier_features(waves, neighbors.offset, phase))
        # The last layer is linear and the shares add up to 1, so the blend may come before it.
        color = layers[-1]((hidden * neighbors.weight[..., None]).sum(dim=0))
        return color + sample_bilinear(context.lr, coord, context.crop)
