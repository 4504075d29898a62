"""RCAN: residual channel attention network, an encoder of residual groups with attention to channels.

Paper: Zhang, Li, Li, Wang, Zhong, Fu, ECCV 2018, https://arxiv.org/abs/1807.02758.
Written from the paper. Checked against outputs of yinboc/liif@4c833f8 (tests/references/enc_rcan.npz,
fullsize_rcan_encoder.npz) and XPixelGroup/BasicSR@8d56e3a (basicsr_rcan_x2.npz).
Differs from them: the mean shift, which the first stores and never applies and the second applies inside of the
network, has no weights here; it is the decoder's `image_mean`. The first takes a `res_scale` and ignores it; here it
has the second's meaning.
"""

from jaxtyping import Float
from torch import Tensor, nn

from Models.Encoders.Encoder import Condition, Encoder, NativeTail
from Models.Layers.convolutions import conv3x3, sub_pixel_upsampler


class ChannelAttention(nn.Module):
    """Each channel times a factor from 0 to 1 that follows from the means of all channels."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        squeezed = channels // reduction
        self.conv_du = nn.Sequential(
            nn.Conv2d(channels, squeezed, 1), nn.ReLU(inplace=True), nn.Conv2d(squeezed, channels, 1), nn.Sigmoid()
        )

    def forward(self, features: Float[Tensor, 'batch channels h w']) -> Float[Tensor, 'batch channels h w']:
        return features * self.conv_du(features.mean(dim=(2, 3), keepdim=True))


class AttentionBlock(nn.Module):
    """conv, ReLU, conv, channel attention, scaled and added to the input."""

    def __init__(self, channels: int, reduction: int, res_scale: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv3x3(channels, channels),
            nn.ReLU(inplace=True),
            conv3x3(channels, channels),
            ChannelAttention(channels, reduction),
        )
        self.res_scale = res_scale

    def forward(self, features: Float[Tensor, 'batch channels h w']) -> Float[Tensor, 'batch channels h w']:
        residual = self.body(features)
        return features + (residual if self.res_scale == 1 else residual * self.res_scale)


class ResidualGroup(nn.Module):
    """Attention blocks and a convolution, added to the input."""

    def __init__(self, channels: int, n_resblocks: int, reduction: int, res_scale: float) -> None:
        super().__init__()
        blocks = [AttentionBlock(channels, reduction, res_scale) for _ in range(n_resblocks)]
        self.body = nn.Sequential(*blocks, conv3x3(channels, channels))

    def forward(self, features: Float[Tensor, 'batch channels h w']) -> Float[Tensor, 'batch channels h w']:
        return features + self.body(features)


class RCAN(Encoder):
    """One convolution, residual groups, one convolution, and the first one's output added.

    The paper's network is the default (15.3 M parameters without its upsampler). Channel attention looks at the whole
    image, so a feature depends on every pixel.

    Args:
        n_resgroups: residual groups.
        n_resblocks: attention blocks in each group.
        n_feats: channels throughout, and of the features.
        reduction: channels over those between the two layers of the attention.
        res_scale: factor on each attention block's residual.

    Raises:
        ValueError: for a number of groups or blocks below 0, or a reduction that leaves no channel.
    """

    native_reach = 2  # one convolution at LR, and smaller ones on the way to HR

    def __init__(
        self,
        n_resgroups: int = 10,
        n_resblocks: int = 20,
        n_feats: int = 64,
        reduction: int = 16,
        res_scale: float = 1.0,
    ) -> None:
        super().__init__()
        if n_resgroups < 0 or n_resblocks < 0:
            raise ValueError(f'n_resgroups and n_resblocks must be at least 0, got {n_resgroups} and {n_resblocks}.')
        if not 1 <= reduction <= n_feats:
            raise ValueError(f'reduction must be from 1 to n_feats, got {reduction} and n_feats {n_feats}.')
        self.feature_dim = n_feats
        # An attention block takes means over the whole image.
        self.receptive_field = None if n_resgroups and n_resblocks else n_resgroups + 2
        self.head = nn.Sequential(conv3x3(3, n_feats))
        groups = [ResidualGroup(n_feats, n_resblocks, reduction, res_scale) for _ in range(n_resgroups)]
        self.body = nn.Sequential(*groups, conv3x3(n_feats, n_feats))

    def extract(
        self, lr: Float[Tensor, 'batch 3 h w'], condition: Condition | None = None
    ) -> Float[Tensor, 'batch n_feats h w']:
        shallow = self.head(lr)
        return shallow + self.body(shallow)

    def native_tail(self, scale: int) -> NativeTail:
        return NativeTail([sub_pixel_upsampler(self.feature_dim, scale), conv3x3(self.feature_dim, 3)])
