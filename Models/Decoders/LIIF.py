"""LIIF: local implicit image function, a decoder for any scale.

Paper: Chen, Liu, Wang, CVPR 2021, https://arxiv.org/abs/2012.09161.
Written from the paper. Checked against outputs of yinboc/liif@4c833f8 (tests/references/liif.npz).
Differs from it: the cell is given once per image, as it is the same for every query; and the MLP's first layer, which
is linear in the 3x3 neighborhood of features, is computed once per LR pixel as a convolution instead of four times per
HR pixel, which gives the same numbers up to rounding.
"""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from Models.Decoders.Decoder import Decoder, DecoderFacts, Normalization
from Models.Decoders.Queries import Queries, View
from Models.Layers.blended_liif import blended_liif
from Models.Layers.blended_mlp import answer_plainly, can_blend, linear_layers
from Models.Layers.local_ensemble import gather_pixels, pixel_table
from Models.Layers.MLP import MLP


class LIIFAimed(NamedTuple):
    """What LIIF knows of an image and a size before any coordinate is asked for."""

    table: Float[Tensor, 'batch pixels width']
    """Share of the features in the MLP's first layer, for each LR pixel, bias included; without an MLP the features."""

    of_cell: Float[Tensor, 'batch width'] | None
    """Share of the cell in the same layer, where it has one."""

    view: View


class LIIF(Decoder[Tensor, LIIFAimed]):
    """An MLP from the nearest feature vector and the offset to it, to a color.

    Args:
        feature_dim: channels of the encoder's features.
        hidden: widths of the MLP's hidden layers. None: no MLP, the answer is the nearest feature vector, as the
            original has it for encoders that put out colors; there must be three features.
        local_ensemble: blend the predictions of the four LR pixels around the coordinate.
        feat_unfold: give the MLP the 3x3 neighborhood of features instead of one vector.
        cell_decode: give the MLP the size of the HR pixel.
        image_mean: mean that images are normalized by; mmagic trained LIIF on EDSR with that of DIV2K.
        image_std: standard deviation that images are normalized by; 1 for the network just named.

    Raises:
        ValueError: if there is no hidden layer, without an MLP if there are not three features, or for a mean or
            deviation without meaning.
    """

    def __init__(  # noqa: PLR0913
        self,
        feature_dim: int,
        hidden: Sequence[int] | None = (256, 256, 256, 256),
        local_ensemble: bool = True,
        feat_unfold: bool = True,
        cell_decode: bool = True,
        *,
        image_mean: Sequence[float] = (0.5, 0.5, 0.5),
        image_std: Sequence[float] = (0.5, 0.5, 0.5),
    ) -> None:
        super().__init__()
        if hidden is not None and not hidden:
            raise ValueError("hidden must name at least one layer of LIIF's MLP, got none.")
        if hidden is None and feature_dim != 3:
            raise ValueError(f'Without an MLP the features are the colors, so three, got {feature_dim}.')
        self.local_ensemble = local_ensemble
        self.feat_unfold = feat_unfold
        self.cell_decode = cell_decode
        self.facts = DecoderFacts(
            Normalization(image_mean, image_std),
            receptive_field=int(local_ensemble) + int(feat_unfold),
            exact_on_crops=True,
            least_default_piece=2**13,
        )
        self.feature_inputs = feature_dim * (9 if feat_unfold else 1)
        dim_in = self.feature_inputs + 2 + (2 if cell_decode else 0)
        self.imnet = None if hidden is None else MLP(dim_in, hidden, 3)

    def prepare(
        self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']
    ) -> Float[Tensor, 'batch pixels width']:
        if self.imnet is None:
            return pixel_table(features)
        # Feature unfolding (section 3), and of the MLP's first layer what it makes of the unfolded features. Unfolded
        # channels are ordered (channel, ky, kx), just as a convolution's weights are.
        first, kernel = self.imnet.first, 3 if self.feat_unfold else 1
        weight = first.weight[:, : self.feature_inputs].unflatten(1, (features.shape[1], kernel, kernel))
        return pixel_table(functional.conv2d(features, weight, first.bias, padding=kernel // 2))

    def aim(self, prepared: Float[Tensor, 'batch pixels width'], view: View) -> LIIFAimed:
        if self.imnet is None or not self.cell_decode:
            return LIIFAimed(prepared, None, view)
        # Cell decoding (section 3): the cell's share of the first layer.
        weight = self.imnet.first.weight[:, self.feature_inputs + 2 :]
        return LIIFAimed(prepared, functional.linear(view.relative_cell, weight), view)

    def query(self, aimed: LIIFAimed, queries: Queries) -> Float[Tensor, 'batch queries 3']:
        table, of_cell, view = aimed
        if self.imnet is None:
            return gather_pixels(table, queries.neighbors(view, local_ensemble=False).pixel)[0]
        neighbors = queries.neighbors(view, local_ensemble=self.local_ensemble)
        of_offset = self.imnet.first.weight[:, self.feature_inputs : self.feature_inputs + 2]
        layers = linear_layers(self.imnet.layers)[1:]
        if can_blend(table, neighbors.offset, layers):
            return blended_liif(table, of_cell, of_offset, neighbors, layers)
        # s = f(z*, x - v*, c) for each neighbor z* at v*: its share, then the offset's, then the other layers.
        table = table if of_cell is None else table + of_cell[:, None]
        hidden = gather_pixels(table, neighbors.pixel) + functional.linear(neighbors.offset, of_offset)
        # The local ensemble (equation 4): predictions weigh as the opposite rectangles.
        return answer_plainly(functional.relu(hidden), neighbors.weight, layers)
