"""EDSR: enhanced deep residual network, an encoder without normalization layers.

Paper: Lim, Son, Kim, Nah, Lee, CVPRW 2017, https://arxiv.org/abs/1707.02921.
Written from the paper. Checked against outputs of yinboc/liif@4c833f8 (tests/references/enc_edsr.npz).
Differs from it: the mean shift, which that repository stores and never applies, has no weights here.
"""

from jaxtyping import Float
from torch import Tensor, nn

from Models.Encoders.Encoder import Encoder
from Models.Layers.convolutions import ResidualBlock, conv3x3


class EDSR(Encoder):
    """One convolution, residual blocks, one convolution, and the first one's output added.

    The baseline is the default (1.22 M parameters). The large network of the paper is
    `EDSR(n_resblocks=32, n_feats=256, res_scale=0.1)`.

    Args:
        n_resblocks: residual blocks.
        n_feats: channels throughout, and of the features.
        res_scale: factor on each block's residual; 0.1 keeps the wide network's training stable.

    Raises:
        ValueError: for a number of blocks or channels below 1.
    """

    def __init__(self, n_resblocks: int = 16, n_feats: int = 64, res_scale: float = 1.0) -> None:
        super().__init__()
        if n_resblocks < 1 or n_feats < 1:
            raise ValueError(f'n_resblocks and n_feats must be at least 1, got {n_resblocks} and {n_feats}.')
        self.feature_dim = n_feats
        self.head = nn.Sequential(conv3x3(3, n_feats))
        blocks = [ResidualBlock(n_feats, res_scale) for _ in range(n_resblocks)]
        self.body = nn.Sequential(*blocks, conv3x3(n_feats, n_feats))

    def forward(self, lr: Float[Tensor, 'batch 3 h w']) -> Float[Tensor, 'batch n_feats h w']:
        shallow = self.head(lr)
        return shallow + self.body(shallow)
