"""RDN: residual dense network, an encoder of densely connected blocks.

Paper: Zhang, Tian, Kong, Zhong, Fu, CVPR 2018, https://arxiv.org/abs/1802.08797.
Written from the paper. Checked against outputs of yinboc/liif@4c833f8 (tests/references/enc_rdn.npz, rdn_liif.npz,
fullsize_rdn_liif.npz).
Differs from it: depth and width can be set without a preset.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from Models.Encoders.Encoder import Condition, Encoder, NativeTail
from Models.Layers.convolutions import conv3x3, sub_pixel_factors

_PRESETS = {'A': (20, 6, 32), 'B': (16, 8, 64)}
"""D, C and G of the paper's two networks."""


class DenseLayer(nn.Module):
    """conv, ReLU, appended to the input."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(conv3x3(channels, growth), nn.ReLU(inplace=True))

    def forward(self, features: Float[Tensor, 'batch channels h w']) -> Float[Tensor, 'batch wider h w']:
        return torch.cat([features, self.conv(features)], dim=1)


class ResidualDenseBlock(nn.Module):
    """Dense layers, a 1x1 convolution back to the input's width (local feature fusion), added to the input."""

    def __init__(self, channels: int, growth: int, layers: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(*(DenseLayer(channels + layer * growth, growth) for layer in range(layers)))
        self.LFF = nn.Conv2d(channels + layers * growth, channels, 1)

    def forward(self, features: Float[Tensor, 'batch channels h w']) -> Float[Tensor, 'batch channels h w']:
        return features + self.LFF(self.convs(features))


class RDN(Encoder):
    """Two convolutions, dense blocks whose outputs are all fused, and the first convolution's output added.

    The default is what papers on arbitrary scales use (21.97 M parameters without an upsampler). The letters are the
    paper's.

    Args:
        config: the paper's network `A` (D = 20, C = 6, G = 32) or `B` (16, 8, 64); D, C and G take precedence.
        D: residual dense blocks.
        C: dense layers in each block.
        G: channels that each dense layer adds.
        G0: channels between the blocks, and of the features.
        kernel_size: of the convolutions before and after the dense blocks, odd; the dense layers' is 3.

    Raises:
        ValueError: for an unknown network, a number below 1, or an even kernel size.
    """

    def __init__(  # noqa: PLR0913
        self,
        config: str = 'B',
        D: int | None = None,  # noqa: N803
        C: int | None = None,  # noqa: N803
        G: int | None = None,  # noqa: N803
        G0: int = 64,  # noqa: N803
        kernel_size: int = 3,
    ) -> None:
        super().__init__()
        if config not in _PRESETS:
            raise ValueError(f"config must be 'A' or 'B', got {config!r}. Other networks are set by D, C and G.")
        blocks, layers, self.growth = (
            preset if own is None else own for preset, own in zip(_PRESETS[config], (D, C, G), strict=True)
        )
        if min(blocks, layers, self.growth, G0) < 1:
            raise ValueError(f'D, C, G and G0 must be at least 1, got {blocks}, {layers}, {self.growth} and {G0}.')
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f'kernel_size must be odd, got {kernel_size}.')
        self.feature_dim = G0
        self.receptive_field = 3 * (kernel_size // 2) + blocks * layers
        # One convolution at LR, and smaller ones on the way to HR, together no wider.
        self.native_reach = 2 * (kernel_size // 2)
        self.kernel_size = kernel_size
        self.SFENet1 = self._conv(3, G0)
        self.SFENet2 = self._conv(G0, G0)
        self.RDBs = nn.ModuleList(ResidualDenseBlock(G0, self.growth, layers) for _ in range(blocks))
        self.GFF = nn.Sequential(nn.Conv2d(blocks * G0, G0, 1), self._conv(G0, G0))

    def _conv(self, channels_in: int, channels_out: int) -> nn.Conv2d:
        return nn.Conv2d(channels_in, channels_out, self.kernel_size, padding=self.kernel_size // 2)

    def extract(
        self, lr: Float[Tensor, 'batch 3 h w'], condition: Condition | None = None
    ) -> Float[Tensor, 'batch G0 h w']:
        shallow = self.SFENet1(lr)
        features = self.SFENet2(shallow)
        of_all_blocks = []
        for block in self.RDBs:
            features = block(features)
            of_all_blocks.append(features)
        return shallow + self.GFF(torch.cat(of_all_blocks, dim=1))

    def native_tail(self, scale: int) -> NativeTail:
        layers: list[nn.Module] = []
        channels = self.feature_dim
        for factor in sub_pixel_factors(scale):
            layers += [self._conv(channels, self.growth * factor**2), nn.PixelShuffle(factor)]
            channels = self.growth
        return NativeTail([*layers, self._conv(channels, 3)])
