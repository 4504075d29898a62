"""An MLP asked at every neighbor of every coordinate, and its answers blended, in one kernel for a GPU.

Chen et al., CVPR 2021, https://arxiv.org/abs/2012.09161, section 3; the waves are those of Lee, Jin, CVPR 2022,
https://arxiv.org/abs/2111.08918. Step by step, four rows of activations per coordinate go to the GPU's memory and back
between any two layers; here a block of coordinates goes through all layers without leaving the chip. Without gradients,
for hidden layers of one width that is a power of two. `blended_mlp.answer_plainly` is the same function.
"""

import importlib.util
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from Models.Layers.blended_mlp import Linear

BLOCKS = {'offsets': (64, 4), 'waves': (64, 8), 'float32': (128, 8)}
"""Coordinates of a block, and the warps that it is computed by: the fastest of five on an H100 (docs/gpu.md)."""

_WIDTHS = (32, 64, 128, 256)


def can_fuse(layers: Sequence[Linear], like: Tensor) -> bool:
    """Whether the kernel is there for such layers: on a GPU, without gradients, all widths equal.

    Args:
        layers: the hidden ones and the last one, which gives colors.
        like: a tensor on the device that they compute on.
    """
    width = layers[0][0].shape[0]
    return (
        like.device.type == 'cuda'
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and width in _WIDTHS
        and all(weight.shape == (width, width) for weight, _ in layers[:-1])
        and layers[-1][0].shape == (3, width)
        and torch.cuda.get_device_capability(like.device) >= (8, 0)
        and importlib.util.find_spec('triton') is not None
    )


def fused_offsets(  # noqa: PLR0913, PLR0917
    table: Float[Tensor, 'pixels width'],
    offset_weight: Float[Tensor, 'width 2'],
    pixel: Int[Tensor, 'neighbors queries'],
    offset: Float[Tensor, 'neighbors queries 2'],
    share: Float[Tensor, 'neighbors queries'],
    layers: Sequence[Linear],
    dtype: torch.dtype,
) -> Float[Tensor, 'queries 3']:
    """Colors of a LIIF-like query: relu(table[pixel] + offset_weight offset), hidden layers, the last one, the blend.

    Args:
        table: the first layer's answer to everything but the offset, for each LR pixel.
        offset_weight: the first layer's weight for the offset.
        pixel, offset, share: the neighbors.
        layers: hidden ones, each followed by ReLU, and the last one.
        dtype: of the factors of products; sums are float32. float32: rounded to TF32, as far as torch is allowed to.
    """
    waves = table.new_empty(0)
    return _launch(table.to(dtype), waves, offset_weight.float(), pixel, offset, share, layers, has_waves=False)


def fused_waves(  # noqa: PLR0913, PLR0917
    amplitude: Float[Tensor, 'pixels width'],
    frequency: Float[Tensor, 'pixels width'],
    phase: Float[Tensor, ' half'],
    pixel: Int[Tensor, 'neighbors queries'],
    offset: Float[Tensor, 'neighbors queries 2'],
    share: Float[Tensor, 'neighbors queries'],
    layers: Sequence[Linear],
    dtype: torch.dtype,
) -> Float[Tensor, 'queries 3']:
    """Colors of an LTE-like query: amplitudes times cosines and sines of frequency . offset + phase, layers, the blend.

    Args:
        amplitude: of the cosines, then of the sines.
        frequency: in radians, along y and then along x; float32, as rounding it turns the waves.
        phase: in radians.
        pixel, offset, share, layers, dtype: as for `fused_offsets`.
    """
    turn = phase.float()
    return _launch(amplitude.to(dtype), frequency.float(), turn, pixel, offset, share, layers, has_waves=True)


def _launch(  # noqa: PLR0913, PLR0917
    table: Tensor,
    waves: Tensor,
    small: Tensor,
    pixel: Tensor,
    offset: Tensor,
    share: Tensor,
    layers: Sequence[Linear],
    *,
    has_waves: bool,
) -> Tensor:
    from Models.Layers.fused_kernel import answer  # noqa: PLC0415  it needs Triton

    neighbors, queries = pixel.shape
    width = table.shape[1]
    # Transposed, as a row of activations comes first in the product.
    weights = torch.stack([weight.t() for weight, _ in layers[:-1]]).to(table.dtype).contiguous()
    biases = torch.stack([bias for _, bias in layers[:-1]]).float().contiguous()
    last, last_bias = layers[-1][0].float().contiguous(), layers[-1][1].float()
    colors = share.new_empty(queries, 3, dtype=torch.float32)
    block, warps = BLOCKS['float32' if table.dtype is torch.float32 else 'waves' if has_waves else 'offsets']
    exact = table.dtype is torch.float32 and not torch.backends.cuda.matmul.allow_tf32
    answer[(-(-queries // block),)](
        table.contiguous(), waves, small.contiguous(), pixel.contiguous(), offset.contiguous(), share.contiguous(),
        weights, biases, last, last_bias, colors, queries,
        HALF=width // 2, LAYERS=len(layers) - 1, NEIGHBORS=neighbors, ROWS=block, HAS_WAVES=has_waves,
        PRECISION='ieee' if exact else 'tf32', num_warps=warps, num_stages=1,
    )  # fmt: skip
    return colors
