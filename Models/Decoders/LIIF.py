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

from Models.Decoders.Decoder import Decoder
from Models.Decoders.local_ensemble import find_neighbors, gather_pixels
from Models.Layers.MLP import MLP
from Utilities.coordinates import Crop, nearest_pixel, relative_cell


class LIIFContext(NamedTuple):
    """What LIIF knows of an image before any coordinate is asked for."""

    first_layer: Float[Tensor, 'batch pixels width']
    """Share of the features in the MLP's first layer, for each LR pixel, bias included; without an MLP the features."""

    lr_size: tuple[int, int]

    crop: Crop | None = None
    """The part of the image that the context is of; None: all."""


class LIIF(Decoder):
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
        self.set_normalization(image_mean, image_std)
        self.local_ensemble = local_ensemble
        self.feat_unfold = feat_unfold
        self.cell_decode = cell_decode
        self.receptive_field = int(local_ensemble) + int(feat_unfold)
        self.knows_crops = hidden is not None
        self.feature_inputs = feature_dim * (9 if feat_unfold else 1)
        dim_in = self.feature_inputs + 2 + (2 if cell_decode else 0)
        self.imnet = None if hidden is None else MLP(dim_in, hidden, 3)

    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> LIIFContext:
        if self.imnet is None:
            return LIIFContext(features.flatten(2).transpose(1, 2).contiguous(), (features.shape[2], features.shape[3]))
        first = self.imnet.first
        kernel = 3 if self.feat_unfold else 1
        # Unfolded channels are ordered (channel, ky, kx), just as a convolution's weights are.
        weight = first.weight[:, : self.feature_inputs].unflatten(1, (features.shape[1], kernel, kernel))
        answers = functional.conv2d(features, weight, first.bias, padding=kernel // 2)  # (B, width, h, w)
        return LIIFContext(answers.flatten(2).transpose(1, 2).contiguous(), (features.shape[2], features.shape[3]))

    def query(
        self, context: LIIFContext, coord: Float[Tensor, 'batch queries 2'], cell: Float[Tensor, 'batch 2']
    ) -> Float[Tensor, 'batch queries 3']:
        if self.imnet is None:
            rows, columns = (nearest_pixel(coord[..., axis], context.lr_size[axis]) for axis in (0, 1))
            return gather_pixels(context.first_layer, (rows * context.lr_size[1] + columns)[None])[0]
        neighbors = find_neighbors(coord, context.lr_size, local_ensemble=self.local_ensemble, crop=context.crop)
        weight = self.imnet.first.weight[:, self.feature_inputs :]  # (width, 2 for the offset + 2 for the cell)
        hidden = gather_pixels(context.first_layer, neighbors.pixel) + functional.linear(
            neighbors.offset, weight[:, :2]
        )
        if self.cell_decode:
            hidden = hidden + functional.linear(relative_cell(cell, context.lr_size), weight[:, 2:])[:, None]
        hidden = self.imnet.layers[1:-1](hidden)
        # The last layer is linear and the shares add up to 1, so the blend may come before it.
        return self.imnet.layers[-1]((hidden * neighbors.weight[..., None]).sum(dim=0))
