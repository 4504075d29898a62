"""An MLP asked at every neighbor of every coordinate, and its answers blended, in one kernel for a GPU.

Chen et al., CVPR 2021, https://arxiv.org/abs/2012.09161, section 3; the waves are those of Lee, Jin, CVPR 2022,
https://arxiv.org/abs/2111.08918. Step by step, four rows of activations per coordinate go to the GPU's memory and back
between any two layers; here a block of coordinates goes through all layers without leaving the chip. Without gradients,
for hidden layers of one width that is a power of two. `blended_mlp.answer_plainly` is the same function.
"""

import importlib.util
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from Models.Layers.local_ensemble import Neighbors

Linear = tuple[Tensor, Tensor]
"""Weight and bias of a linear layer."""

BLOCKS = {'offsets': (64, 4), 'waves': (64, 8), 'float32': (128, 8)}
"""Coordinates of a block, and the warps that it is computed by: the fastest of five on an H100 (docs/gpu.md)."""

_WIDTHS = (32, 64, 128, 256)


def can_fuse(layers: Sequence[Linear], like: Tensor) -> bool:
    """Whether the kernel is there and wins: on a GPU, without gradients, for equal widths, in less than float32.

    Args:
        layers: the hidden ones and the last one, which gives colors.
        like: a tensor on the device that they compute on.
    """
    if like.device.type != 'cuda' or torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    width = layers[0][0].shape[0]
    return (
        width in _WIDTHS
        and all(weight.shape == (width, width) for weight, _ in layers[:-1])
        and layers[-1][0].shape == (3, width)
        and (_factors() is not torch.float32 or torch.backends.cuda.matmul.allow_tf32)
        and torch.cuda.get_device_capability(like.device) >= (8, 0)
        and importlib.util.find_spec('triton') is not None
    )


def _factors() -> torch.dtype:
    """What the factors of products are rounded to; TF32 is float32 here."""
    return torch.get_autocast_dtype('cuda') if torch.is_autocast_enabled('cuda') else torch.float32


def fused_offsets(
    table: Float[Tensor, 'batch pixels width'],
    offset_weight: Float[Tensor, 'width 2'],
    neighbors: Neighbors,
    layers: Sequence[Linear],
    dtype: torch.dtype | None = None,
) -> Float[Tensor, 'batch queries 3']:
    """Colors of a LIIF-like query: relu(table[pixel] + offset_weight offset), hidden layers, the last one, the blend.

    Args:
        table: the first layer's answer to everything but the offset, for each LR pixel.
        offset_weight: the first layer's weight for the offset.
        neighbors: of each coordinate.
        layers: hidden ones, each followed by ReLU, and the last one.
        dtype: of the factors of products; sums are float32. float32: rounded to TF32, if torch is allowed to. None: as
            autocast has it.
    """
    return _launch(table, None, offset_weight, neighbors, layers, dtype)


def fused_waves(
    amplitude: Float[Tensor, 'batch pixels width'],
    frequency: Float[Tensor, 'batch entries half'],
    phase: Float[Tensor, 'batch half'],
    neighbors: Neighbors,
    layers: Sequence[Linear],
    dtype: torch.dtype | None = None,
) -> Float[Tensor, 'batch queries 3']:
    """Colors of an LTE-like query: amplitudes times cosines and sines of frequency . offset + phase, layers, the blend.

    Args:
        amplitude: of the cosines, then of the sines.
        frequency: in radians, along y of every LR pixel, then along x of every one.
        phase: in radians.
        neighbors, layers, dtype: as for `fused_offsets`.
    """
    return _launch(amplitude, frequency, phase, neighbors, layers, dtype)


def _launch(  # noqa: PLR0913
    table: Tensor,
    waves: Tensor | None,
    small: Tensor,
    neighbors: Neighbors,
    layers: Sequence[Linear],
    dtype: torch.dtype | None,
) -> Tensor:
    from Models.Layers.fused_kernel import answer  # noqa: PLC0415  it needs Triton

    batch, pixels, width = table.shape
    kind = dtype or _factors()
    count, _, queries = neighbors.pixel.shape
    # Images one behind the other, as if they were one.
    image = torch.arange(batch, device=table.device)
    pixel = (neighbors.pixel + (image * pixels)[:, None]).flatten(1).contiguous()
    offset, share = (part.float().flatten(1, 2).contiguous() for part in (neighbors.offset, neighbors.weight))
    # Transposed, as a row of activations comes first in the product.
    weights = torch.stack([weight.t() for weight, _ in layers[:-1]]).to(kind).contiguous()
    biases = torch.stack([bias for _, bias in layers[:-1]]).float().contiguous()
    last, last_bias = layers[-1][0].float().contiguous(), layers[-1][1].float().contiguous()
    colors = offset.new_empty(batch * queries, 3)
    has_waves = waves is not None
    block, warps = BLOCKS['float32' if kind is torch.float32 else 'waves' if has_waves else 'offsets']
    may_round = kind is not torch.float32 or torch.backends.cuda.matmul.allow_tf32
    answer[(-(-(batch * queries) // block),)](
        table.to(kind).contiguous(), colors if waves is None else waves.float().contiguous(),
        small.float().contiguous(), pixel, offset, share, weights, biases, last, last_bias, colors,
        batch * queries, queries, pixels,
        HALF=width // 2, LAYERS=len(layers) - 1, NEIGHBORS=count, ROWS=block, HAS_WAVES=has_waves,
        PRECISION='tf32' if may_round else 'ieee', num_warps=warps, num_stages=1,
    )  # fmt: skip
    return colors.unflatten(0, (batch, queries))
