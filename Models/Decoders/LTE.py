"""LTE: local texture estimator, which describes the surroundings of each LR pixel by waves.

Paper: Lee, Jin, CVPR 2022, https://arxiv.org/abs/2111.08918.
Written from the paper. Checked against outputs of jaewon-lee-b/lte@a8815d6 (tests/references/lte.npz, lte_plus.npz).
Differs from it: the cell is given once per image, so the phase is computed once; amplitudes and frequencies come from
one convolution; and the last layer, being linear, comes after the local ensemble. The numbers are the same up to
rounding. Where the scales of the two axes differ, the limit on the cell applies to each by itself.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from Models.Decoders.Decoder import Decoder, DecoderFacts
from Models.Decoders.Queries import Queries, View
from Models.Layers.bilinear import sample_bilinear
from Models.Layers.blended_lte import blended_lte
from Models.Layers.blended_mlp import answer_plainly, can_blend, linear_layers
from Models.Layers.convolutions import conv3x3
from Models.Layers.fourier_features import fourier_features, wave_filters
from Models.Layers.local_ensemble import gather_pixels, pixel_table
from Models.Layers.MLP import MLP
from Models.Layers.pointwise import pointwise_mlp


class LTEPrepared(NamedTuple):
    """What LTE knows of an image before any size or coordinate is asked for."""

    amplitude: Float[Tensor, 'batch pixels dim']

    frequency: Float[Tensor, 'batch entries half']
    """In radians: along y of every LR pixel, then along x of every one."""

    lr: Float[Tensor, 'batch 3 h w']
    """The image that the answer is added to."""


class LTEAimed(NamedTuple):
    """The same of an image and a size."""

    prepared: LTEPrepared
    phase: Float[Tensor, 'batch half']
    view: View


class LTE(Decoder[LTEPrepared, LTEAimed]):
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

    facts = DecoderFacts(receptive_field=2, exact_on_crops=True, least_default_piece=2**13)

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

    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> LTEPrepared:
        # Amplitude and frequency estimators (section 3.2): a 3x3 convolution each.
        of_amplitude, *of_frequency = wave_filters(self.coef, self.freq, interleaved=not self.plus)
        # One after the other, as together they take twice the memory.
        frequency = torch.cat([pixel_table(functional.conv2d(features, *f, padding=1)) for f in of_frequency], dim=1)
        amplitude = pixel_table(functional.conv2d(features, *of_amplitude, padding=1))
        return LTEPrepared(amplitude, frequency, lr)

    def aim(self, prepared: LTEPrepared, view: View) -> LTEAimed:
        # Phase estimator: a linear layer of the cell.
        return LTEAimed(prepared, self.phase(view.relative_cell), view)

    def query(self, aimed: LTEAimed, queries: Queries) -> Float[Tensor, 'batch queries 3']:
        (amplitude, frequency, lr), phase, view = aimed
        neighbors = queries.neighbors(view, local_ensemble=True)
        layers = linear_layers(self.layers if self.plus else self.imnet.layers)
        # The long skip connection: the interpolated LR image is added.
        image = sample_bilinear(lr, queries.coord, view.crop)
        if can_blend(amplitude, neighbors.offset, layers):
            return blended_lte(amplitude, frequency, phase, neighbors, layers) + image
        # A * [cos, sin](pi (F . offset + phase)) of each neighbor, through the MLP; then the local ensemble.
        tables = [amplitude, *frequency.chunk(2, dim=1)]
        waves = torch.cat([gather_pixels(table, neighbors.pixel) for table in tables], dim=-1)  # (4, B, Q, 2 * dim)
        features = fourier_features(waves, neighbors.offset, phase[:, None])
        return answer_plainly(features, neighbors.weight, layers) + image
