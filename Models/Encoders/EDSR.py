"""EDSR: enhanced deep residual network, an encoder without normalization layers.

Paper: Lim, Son, Kim, Nah, Lee, CVPRW 2017, https://arxiv.org/abs/1707.02921.
Written from the paper. Checked against outputs of yinboc/liif@4c833f8 (tests/references/enc_edsr.npz, edsr_x4.npz) and
XPixelGroup/BasicSR@8d56e3a (basicsr_edsr_x4.npz).
Differs from them: the mean shift, which the first stores and never applies and the second applies inside of the
network, has no weights here; it is the decoder's `image_mean`.
"""

from jaxtyping import Float
from torch import Tensor, nn

from Models.Encoders.Encoder import Condition, Encoder, NativeTail
from Models.Layers.convolutions import ResidualBlock, conv3x3, sub_pixel_upsampler


class EDSR(Encoder):
    """One convolution, residual blocks, one convolution, and the first one's output added.

    The baseline is the default (1.22 M parameters). The large network of the paper is
    `EDSR(n_resblocks=32, n_feats=256, res_scale=0.1)`.

    Args:
        n_resblocks: residual blocks.
        n_feats: channels throughout, and of the features.
        res_scale: factor on each block's residual; 0.1 keeps the wide network's training stable.

    Raises:
        ValueError: for a number of blocks below 0, or of channels below 1.
    """

    native_reach = 2  # one convolution at LR, and smaller ones on the way to HR

    def __init__(self, n_resblocks: int = 16, n_feats: int = 64, res_scale: float = 1.0) -> None:
        super().__init__()
        if n_resblocks < 0 or n_feats < 1:
            raise ValueError(f'n_resblocks must be at least 0 and n_feats at least 1, got {n_resblocks} and {n_feats}.')
        self.feature_dim = n_feats
        self.receptive_field = 2 * n_resblocks + 2
        self.head = nn.Sequential(conv3x3(3, n_feats))
        blocks = [ResidualBlock(n_feats, res_scale) for _ in range(n_resblocks)]
        self.body = nn.Sequential(*blocks, conv3x3(n_feats, n_feats))

    def extract(
        self, lr: Float[Tensor, 'batch 3 h w'], condition: Condition | None = None
    ) -> Float[Tensor, 'batch n_feats h w']:
        shallow = self.head(lr)
        return shallow + self.body(shallow)

    def native_tail(self, scale: int) -> NativeTail:
        return NativeTail([sub_pixel_upsampler(self.feature_dim, scale), conv3x3(self.feature_dim, 3)])
