"""Cross-scale attention: each position of a feature map looks for its like in a smaller copy of the map.

Papers: Mei et al., CVPR 2020, https://arxiv.org/abs/2006.01424 (cross-scale non-local attention); Cao et al., CVPR
2023, https://arxiv.org/abs/2212.04362 (its use in CiaoSR).
Written from a description of the method, not from its code.
Checked through CiaoSR, against outputs of caojiezhang/CiaoSR@adac6df.
Differs from it: no `escape_NaN` among the weights, the smallest patch norm that it stores as one.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_MIN_NORM = 1e-4
_SHARPNESS = 10.0
_PATCH = 3
# Patches of that size overlap about six times; the published constant, whatever the scale.
_OVERLAP = 6


class CrossScaleAttention(nn.Module):
    """Non-local attention from a feature map to its reductions.

    Where the 3x3 patch of the reduced map is alike, the patch of the full map that it was reduced from, `scale` times
    as large, is pasted around the position; the pasted picture, `scale` times too large, is then brought back to size.
    So a position sees how the structures that it holds look when larger. Memory and time grow with the square of the
    number of pixels.

    Args:
        channels: of the feature map, and of the result for each scale.
        scales: how many times smaller the reductions are.
        reduction: factor by which fewer channels are compared.

    Raises:
        ValueError: if a scale is not 2, 3 or 4, is repeated, or there is none.
    """

    DOWN: ClassVar[dict[int, str]] = {2: 'down', 3: 'downx3', 4: 'downx4'}
    """The published names of the convolutions that bring the pasted picture back to size."""

    def __init__(self, channels: int, scales: Sequence[int] = (2,), reduction: int = 2) -> None:
        super().__init__()
        if not scales or len(set(scales)) < len(scales) or not set(scales) <= set(self.DOWN):
            raise ValueError(f'scales must be one or more of {sorted(self.DOWN)}, each once, got {list(scales)}.')
        self.scales = tuple(scales)
        self.conv_match_1 = _pointwise(channels, channels // reduction)
        self.conv_match_2 = _pointwise(channels, channels // reduction)
        self.conv_assembly = _pointwise(channels, channels)
        for scale in {2, *scales}:
            self.add_module(self.DOWN[scale], nn.Conv2d(channels, channels, _PATCH, stride=scale, padding=1))
        # The published weights hold the one for scale 2 even where it is not used.
        self.down.requires_grad_(2 in self.scales)

    def forward(
        self, features: Float[Tensor, 'batch channels h w']
    ) -> Float[Tensor, 'batch channels_of_all_scales h w']:
        """Features found at each scale, one scale after another in the channels."""
        return torch.cat([self._attend(features, scale) for scale in self.scales], dim=1)

    def _attend(self, features: Float[Tensor, 'batch channels h w'], scale: int) -> Float[Tensor, 'batch channels h w']:
        height, width = features.shape[2:]
        right, bottom = -width % scale, -height % scale
        # A picture of too few pixels has nothing to reflect.
        mode = 'reflect' if right < width and bottom < height else 'replicate'
        padded = functional.pad(features, (0, right, 0, bottom), mode=mode)
        size = (padded.shape[2], padded.shape[3])
        reduced = functional.interpolate(
            padded, size=(size[0] // scale, size[1] // scale), mode='bilinear', align_corners=False
        )
        wanted = functional.unfold(self.conv_match_1(padded), _PATCH, padding=_PATCH // 2)  # (B, 9C/2, hw)
        offered = functional.unfold(self.conv_match_2(reduced), _PATCH, padding=_PATCH // 2)  # (B, 9C/2, hw/s²)
        offered = offered / offered.norm(dim=1, keepdim=True).clamp(min=_MIN_NORM)
        pasted = functional.scaled_dot_product_attention(
            wanted.transpose(1, 2),
            offered.transpose(1, 2),
            _patches(self.conv_assembly(padded), _PATCH * scale, scale).transpose(1, 2),
            scale=_SHARPNESS,
        )  # (B, hw, 9Cs²)
        large = functional.fold(
            pasted.transpose(1, 2),
            (size[0] * scale, size[1] * scale),
            kernel_size=_PATCH * scale,
            stride=scale,
            padding=scale,
        )
        return (self.get_submodule(self.DOWN[scale])(large) / _OVERLAP)[:, :, :height, :width]


def _pointwise(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, kernel_size=1), nn.PReLU())


def _patches(
    features: Float[Tensor, 'batch channels h w'], kernel: int, stride: int
) -> Float[Tensor, 'batch channels_of_patch patches']:
    """Patches around every `stride`-th pixel; TensorFlow's "same" padding with zeros, the odd one last."""
    vertical, horizontal = (max(0, (-(-n // stride) - 1) * stride + kernel - n) for n in features.shape[2:])
    top, left = vertical // 2, horizontal // 2
    padded = functional.pad(features, (left, horizontal - left, top, vertical - top))
    return functional.unfold(padded, kernel, stride=stride)
