"""What the heads of CLIT's attention add for the offset from a pixel of the window to the coordinate.

Chen et al., CVPR 2023, https://arxiv.org/abs/2303.16513. Offsets are in units where a pixel of the map is 2.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SinusoidalBias(nn.Module):
    """Sines and cosines of the offset along each axis, mixed linearly.

    The axes do not meet before their sum, so a window costs as much as its two sides.

    Args:
        heads: attention heads.
        posenc_scale: the frequencies are 2**x - 1, x in even steps from 0 to this.
        enc_dims: sines and cosines in all: for each of the two axes a quarter of each.

    Raises:
        ValueError: if enc_dims is no multiple of 4.
    """

    frequencies: Tensor

    def __init__(self, heads: int, posenc_scale: float, enc_dims: int) -> None:
        super().__init__()
        if enc_dims < 4 or enc_dims % 4:
            raise ValueError(f'enc_dims must be a positive multiple of 4, got {enc_dims}.')
        self.proj = nn.Linear(enc_dims, heads)
        frequencies = 2.0 ** torch.linspace(0, posenc_scale, enc_dims // 4) - 1
        self.register_buffer('frequencies', frequencies, persistent=False)

    def forward(
        self, vertical: Float[Tensor, 'batch queries side'], horizontal: Float[Tensor, 'batch queries side']
    ) -> Float[Tensor, 'batch queries window heads']:
        # (heads, sine or cosine, y or x, frequencies): the published order in the weights
        weight = self.proj.weight.unflatten(1, (2, 2, -1))
        rows = nn.functional.linear(self._waves(vertical), weight[:, :, 0].flatten(1), self.proj.bias)
        columns = nn.functional.linear(self._waves(horizontal), weight[:, :, 1].flatten(1))
        return (rows[:, :, :, None] + columns[:, :, None]).flatten(2, 3)

    def _waves(self, offset: Float[Tensor, '*batch']) -> Float[Tensor, '*batch waves']:
        phase = offset[..., None] * self.frequencies
        return torch.cat([phase.sin(), phase.cos()], dim=-1)


class DynamicBias(nn.Module):
    """Dynamic position bias: an MLP of the offset (y, x), with layer normalization before each activation.

    Wang et al., CrossFormer, ICLR 2022, https://arxiv.org/abs/2108.00154.

    Args:
        heads: attention heads.
        enc_dims: width of all hidden layers.
    """

    def __init__(self, heads: int, enc_dims: int) -> None:
        super().__init__()
        if enc_dims < 1:
            raise ValueError(f'enc_dims must be at least 1, got {enc_dims}.')
        self.mlp = nn.Sequential(
            nn.Linear(2, enc_dims),
            *_activated(enc_dims, enc_dims),
            *_activated(enc_dims, enc_dims),
        )
        self.proj = nn.Sequential(*_activated(enc_dims, heads))

    def forward(
        self, vertical: Float[Tensor, 'batch queries side'], horizontal: Float[Tensor, 'batch queries side']
    ) -> Float[Tensor, 'batch queries window heads']:
        offset = torch.broadcast_tensors(vertical[:, :, :, None], horizontal[:, :, None])
        return self.proj(self.mlp(torch.stack(offset, dim=-1).flatten(2, 3)))


class NoBias(nn.Module):
    """Zero for every offset, by which the attention sees what is in the window, but not where."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(
        self, vertical: Float[Tensor, 'batch queries side'], horizontal: Float[Tensor, 'batch queries side']
    ) -> Float[Tensor, 'batch queries window heads']:
        window = vertical.shape[2] * horizontal.shape[2]
        return vertical.new_zeros(()).expand(*vertical.shape[:2], window, self.heads)


def positional_bias(kind: str | None, heads: int, posenc_scale: float, enc_dims: int) -> nn.Module:
    """`sinusoid`, `dpb`, or None.

    Raises:
        ValueError: for another kind, or a width that the kind can not have.
    """
    if kind is None:
        return NoBias(heads)
    if kind == 'dpb':
        return DynamicBias(heads, enc_dims)
    if kind == 'sinusoid':
        return SinusoidalBias(heads, posenc_scale, enc_dims)
    raise ValueError(f"posenc_type must be 'sinusoid', 'dpb' or None, got {kind!r}.")


def _activated(dim_in: int, dim_out: int) -> tuple[nn.Module, ...]:
    return nn.LayerNorm(dim_in, eps=1e-6), nn.ReLU(), nn.Linear(dim_in, dim_out)
