"""MetaSR: a network predicts the weights with which each HR pixel reads the features.

Paper: Hu, Mu, Zhang, Wang, Sun, Tan, CVPR 2019, https://arxiv.org/abs/1903.00875, as reimplemented for comparison by
Chen, Liu, Wang, CVPR 2021, https://arxiv.org/abs/2012.09161; the numbers in the literature are this one's.
Written from the papers. Checked against outputs of yinboc/liif@4c833f8 (tests/references/metasr.npz).
Differs from it: the cell is given once per image; and as the last layer of the weight-predicting MLP is linear, it is
multiplied with the features once per LR pixel, as a convolution, instead of once per HR pixel, which gives the same
numbers up to rounding.
"""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from Models.Decoders.Decoder import Decoder, DecoderFacts
from Models.Decoders.Queries import Queries, View
from Models.Layers.local_ensemble import gather_pixels, pixel_table
from Models.Layers.MLP import MLP
from Utilities.coordinates import centers_of_pixels

# Moves ties between two LR pixels to the lower right one; a constant of the published network.
_NUDGE = 1e-6


class MetaSR(Decoder[Tensor, tuple[Tensor, View]]):
    """An MLP from the place of the HR pixel on its LR pixel to the weights of a 3x3 filter on the features.

    Places are those of the pixels' upper left corners, and the pixel's size is its height alone, as in the published
    network: at scales that differ between the axes, the width is not seen.

    Args:
        feature_dim: channels of the encoder's features.
        hidden: widths of the MLP's hidden layers.
    """

    facts = DecoderFacts(receptive_field=2, exact_on_crops=True)

    def __init__(self, feature_dim: int, hidden: Sequence[int] = (256,)) -> None:
        super().__init__()
        self.imnet = MLP(3, hidden, feature_dim * 9 * 3)

    def prepare(
        self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']
    ) -> Float[Tensor, 'batch pixels readers']:
        """For each LR pixel and color, what the last hidden layer is multiplied with, then what is added."""
        last = cast(nn.Linear, self.imnet.layers[-1])
        # The bias is the weight of one more hidden unit, which is always 1.
        weight = torch.cat([last.weight, last.bias[:, None]], dim=1)
        # Filters are ordered (channel, ky, kx, color).
        kernels = weight.unflatten(0, (features.shape[1], 3, 3, 3)).permute(3, 4, 0, 1, 2).flatten(0, 1)
        return pixel_table(functional.conv2d(features, kernels, padding=1))  # (B, hw, 3 * (hidden + 1))

    def query(
        self, aimed: tuple[Float[Tensor, 'batch pixels readers'], View], queries: Queries
    ) -> Float[Tensor, 'batch queries 3']:
        table, view = aimed
        (height, width), cell = view.lr_size, view.cell
        # Location projection: the LR pixel that the HR pixel's upper left corner falls into.
        corner = queries.coord - cell[:, None] / 2
        pixel = Queries(corner + _NUDGE).neighbors(view, local_ensemble=False).pixel
        rows, columns = pixel[0] // view.row_length, pixel[0] % view.row_length
        if view.crop is not None:
            rows, columns = rows + view.crop.rows[0], columns + view.crop.columns[0]
        upper = centers_of_pixels(rows, height, corner.dtype) - 1 / height
        left = centers_of_pixels(columns, width, corner.dtype) - 1 / width
        # Weight prediction: a network of the place on that pixel, in LR pixels, and of the HR pixel's height.
        y, x = (corner[..., 0] - upper) * (height / 2), (corner[..., 1] - left) * (width / 2)
        pixel_height = (cell[:, :1] * (height / 2)).expand(-1, corner.shape[1])
        hidden = self.imnet.layers[:-1](torch.stack([y, x, pixel_height], dim=-1))
        # Feature mapping: the last layer of that network is already multiplied with the features.
        readers = gather_pixels(table, pixel)[0].unflatten(-1, (3, -1))  # (B, Q, color, hidden + 1)
        return torch.einsum('bqch,bqh->bqc', readers[..., :-1], hidden) + readers[..., -1]
