"""Fourier features around an LR pixel, whose amplitudes and frequencies come from the image itself.

Lee and Jin, CVPR 2022, https://arxiv.org/abs/2111.08918, section 3. Two convolutions give each LR pixel `dim`
amplitudes and dim / 2 frequencies per axis, the cell gives the phases; a coordinate's features are the amplitudes times
[cos, sin](pi (frequency . offset + phase)).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def waves_of(
    features: Float[Tensor, 'batch channels h w'],
    coef: nn.Conv2d,
    freq: nn.Conv2d,
    *,
    interleaved: bool,
) -> Float[Tensor, 'batch pixels waves']:
    """Amplitudes and frequencies of each LR pixel, as one vector, to be fetched at once.

    Args:
        features: the encoder's output.
        coef: 3x3 convolution to `dim` amplitudes.
        freq: 3x3 convolution to `dim` frequencies, of which half go with y and half with x.
        interleaved: the frequencies' channels are (y, x, y, x, ...); else all of y, then all of x.

    Returns:
        `dim` amplitudes, then dim / 2 frequencies along y, then as many along x, both in radians.
    """
    weight, bias = freq.weight, freq.bias
    assert coef.bias is not None
    assert bias is not None
    if interleaved:
        weight, bias = torch.cat([weight[0::2], weight[1::2]]), torch.cat([bias[0::2], bias[1::2]])
    maps = functional.conv2d(
        features, torch.cat([coef.weight, weight * math.pi]), torch.cat([coef.bias, bias * math.pi]), padding=1
    )
    return maps.flatten(2).transpose(1, 2).contiguous()


def parts_of(waves: Float[Tensor, '*batch waves']) -> tuple[Tensor, Tensor, Tensor]:
    """Amplitudes, frequencies along y and frequencies along x out of `waves_of`."""
    half = waves.shape[-1] // 4
    amplitude, along_y, along_x = waves.split([2 * half, half, half], dim=-1)
    return amplitude, along_y, along_x


def fourier_features(
    waves: Float[Tensor, '*batch waves'],
    offset: Float[Tensor, '*batch 2'],
    phase: Float[Tensor, '*#batch half'],
) -> Float[Tensor, '*batch dim']:
    """Features of a coordinate, seen from an LR pixel.

    Args:
        waves: of that pixel, from `waves_of`.
        offset: from that pixel to the coordinate, (y, x), where one LR pixel is 2.
        phase: dim / 2 phases, in half turns.
    """
    amplitude, along_y, along_x = parts_of(waves)
    angle = along_y * offset[..., :1] + along_x * offset[..., 1:] + phase * math.pi
    return amplitude * torch.cat([angle.cos(), angle.sin()], dim=-1)
