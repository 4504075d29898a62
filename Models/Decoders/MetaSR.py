"""MetaSR: a network predicts the weights with which each HR pixel reads the features.

Paper: Hu, Mu, Zhang, Wang, Sun, Tan, CVPR 2019, https://arxiv.org/abs/1903.00875, as reimplemented for comparison by
Chen, Liu, Wang, CVPR 2021, https://arxiv.org/abs/2012.09161; the numbers in the literature are this one's.
Written from the papers. Checked against outputs of yinboc/liif@4c833f8 (tests/references/metasr.npz).
Differs from it: the cell is given once per image; and as the last layer of the weight-predicting MLP is linear, it is
multiplied with the features once per LR pixel, as a convolution, instead of once per HR pixel, which gives the same
numbers up to rounding.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from Models.Decoders.Decoder import Decoder
from Models.Decoders.local_ensemble import find_neighbors, gather_pixels
from Models.Layers.MLP import MLP
from Utilities.coordinates import Crop, pixel_centers, small_constant

# Moves ties between two LR pixels to the lower right one; a constant of the published network.
_NUDGE = 1e-6


class MetaSRContext(NamedTuple):
    """What MetaSR knows of an image before any coordinate is asked for."""

    readers: Float[Tensor, 'batch pixels readers']
    """For each LR pixel and color, what the last hidden layer is multiplied with, then what is added."""

    lr_size: tuple[int, int]

    crop: Crop | None = None
    """The part of the image that the context is of; None: all."""


class MetaSR(Decoder):
    """An MLP from the place of the HR pixel on its LR pixel to the weights of a 3x3 filter on the features.

    Places are those of the pixels' upper left corners, and the pixel's size is its height alone, as in the published
    network: at scales that differ between the axes, the width is not seen.

    Args:
        feature_dim: channels of the encoder's features.
        hidden: widths of the MLP's hidden layers.
    """

    receptive_field = 2
    knows_crops = True

    def __init__(self, feature_dim: int, hidden: Sequence[int] = (256,)) -> None:
        super().__init__()
        self.imnet = MLP(3, hidden, feature_dim * 9 * 3)

    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> MetaSRContext:
        last = cast(nn.Linear, self.imnet.layers[-1])
        # The bias is the weight of one more hidden unit, which is always 1.
        weight = torch.cat([last.weight, last.bias[:, None]], dim=1)
        # Filters are ordered (channel, ky, kx, color).
        kernels = weight.unflatten(0, (features.shape[1], 3, 3, 3)).permute(3, 4, 0, 1, 2).flatten(0, 1)
        readers = functional.conv2d(features, kernels, padding=1)  # (B, 3 * (hidden + 1), h, w)
        return MetaSRContext(readers.flatten(2).transpose(1, 2).contiguous(), (features.shape[2], features.shape[3]))

    def query(
        self, context: MetaSRContext, coord: Float[Tensor, 'batch queries 2'], cell: Float[Tensor, 'batch 2']
    ) -> Float[Tensor, 'batch queries 3']:
        height, width = context.lr_size
        corner = coord - cell[:, None] / 2
        crop = context.crop or Crop.whole(context.lr_size)
        pixel = find_neighbors(corner + _NUDGE, context.lr_size, local_ensemble=False, crop=crop).pixel
        rows, columns = pixel[0] // len(crop.columns) + crop.rows[0], pixel[0] % len(crop.columns) + crop.columns[0]
        lr_corner = torch.stack([_pixel_corners(height, coord)[rows], _pixel_corners(width, coord)[columns]], dim=-1)
        offset = (corner - lr_corner) * (small_constant(context.lr_size, coord) / 2)  # in LR pixels
        pixel_height = (cell[:, :1] * (height / 2))[:, None].expand(-1, coord.shape[1], -1)
        hidden = self.imnet.layers[:-1](torch.cat([offset, pixel_height], dim=-1))
        readers = gather_pixels(context.readers, pixel)[0].unflatten(-1, (3, -1))  # (B, Q, color, hidden + 1)
        return torch.einsum('bqch,bqh->bqc', readers[..., :-1], hidden) + readers[..., -1]


def _pixel_corners(count: int, like: Tensor) -> Float[Tensor, '{count}']:
    """Upper, or left, borders of `count` pixels in a row."""
    return pixel_centers(count, device=like.device, dtype=like.dtype) - 1 / count
