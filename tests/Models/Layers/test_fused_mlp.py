"""The kernel for GPUs equals its formula; without a GPU, by Triton's interpreter."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from Models.Layers import fused_mlp
from Models.Layers.fused_mlp import Linear, can_fuse, fused_offsets, fused_waves
from Models.Layers.local_ensemble import Neighbors, gather_pixels

CASES = [(width, neighbors, queries) for width in (32, 64) for neighbors in (1, 4) for queries in (1, 64, 150)]


def linear_layers(width: int, count: int, device: str) -> list[Linear]:
    torch.manual_seed(width + count)
    rows = [width] * count + [3]
    return [(torch.randn(r, width, device=device) / width**0.5, torch.randn(r, device=device)) for r in rows]


def by_formula(inputs: Tensor, share: Tensor, layers: list[Linear]) -> Tensor:
    """In float64, one neighbor at a time."""
    answer = torch.zeros(*inputs.shape[1:3], 3, dtype=torch.float64, device=inputs.device)
    for row, weight_of in zip(inputs.double(), share.double(), strict=True):
        hidden = row
        for weight, bias in layers[:-1]:
            hidden = functional.relu(hidden @ weight.double().t() + bias.double())
        answer += (hidden @ layers[-1][0].double().t() + layers[-1][1].double()) * weight_of[..., None]
    return answer


def differences(width: int, neighbors: int, queries: int, dtype: torch.dtype, device: str) -> list[float]:
    """Largest difference from the formula, of offsets and of waves, for two images; the formula gives about 1."""
    layers, pixels = linear_layers(width, 3, device), 40
    random = torch.Generator().manual_seed(queries)

    def uniform(*shape: int) -> Tensor:
        return (2 * torch.rand(*shape, generator=random) - 1).to(device)

    pixel = torch.randint(0, pixels, (neighbors, 2, queries), generator=random).to(device)
    offset, share = uniform(neighbors, 2, queries, 2), uniform(neighbors, 2, queries).softmax(dim=0)
    found = Neighbors(pixel, offset, share)
    table, waves = 2 * uniform(2, pixels, width), 3 * uniform(2, 2 * pixels, width // 2)
    weight, phase = uniform(width, 2), 3 * uniform(2, width // 2)
    with torch.inference_mode():
        of_offsets = fused_offsets(table, weight, found, layers, dtype)
        rows = gather_pixels(table, pixel)
        inputs = functional.relu(rows.double() + offset.double() @ weight.double().t())
        errors = [(of_offsets - by_formula(inputs, share, layers)).abs().max().item()]
        of_waves = fused_waves(table, waves, phase, found, layers, dtype)
        along_y, along_x = (gather_pixels(part, pixel).double() for part in waves.chunk(2, dim=1))
        angle = along_y * offset[..., :1] + along_x * offset[..., 1:] + phase[:, None]
        inputs = rows * torch.cat([angle.cos(), angle.sin()], dim=-1)
        return [*errors, (of_waves - by_formula(inputs, share, layers)).abs().max().item()]


@pytest.mark.skipif(importlib.util.find_spec('triton') is None, reason='torch came without Triton')
def test_interpreted_the_kernel_equals_the_formula() -> None:
    """In a process of its own, as Triton decides when it first reads a kernel. NumPy has no bfloat16."""
    program = (
        'import torch; from tests.Models.Layers.test_fused_mlp import CASES, differences\n'
        'exact = max(max(differences(*case, torch.float32, "cpu")) for case in CASES)\n'
        'half = max(max(differences(*case, torch.float16, "cpu")) for case in CASES)\n'
        'print(exact, half)'
    )
    root = Path(__file__).parents[3]
    environment = os.environ | {'TRITON_INTERPRET': '1', 'PYTHONPATH': str(root)}
    ended = subprocess.run(
        [sys.executable, '-c', program], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    exact, half = map(float, ended.stdout.split())
    assert exact < 3e-6
    # Numbers of half precision are rounded to 5e-4, in each of five layers.
    assert 1e-5 < half < 1e-2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU here')
@pytest.mark.parametrize(('dtype', 'error'), [(torch.float32, 5e-3), (torch.bfloat16, 8e-2), (torch.float16, 1e-2)])
def test_on_a_gpu_it_does(dtype: torch.dtype, error: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cuda.matmul, 'allow_tf32', True)
    for case in (*CASES, (256, 4, 1000)):
        assert max(differences(*case, dtype, 'cuda')) < error


def test_it_is_for_gpus_and_equal_widths_alone() -> None:
    with torch.inference_mode():
        assert not can_fuse(linear_layers(64, 3, 'cpu'), torch.zeros(1))
        assert not can_fuse(linear_layers(48, 3, 'meta'), torch.zeros(1, device='meta'))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU here')
@pytest.mark.parametrize('decoder', [DecoderType.LIIF, DecoderType.LTE])
@pytest.mark.parametrize('options', [{}, {'hidden': (64, 64, 64)}])
def test_decoders_use_it_on_a_gpu(
    decoder: DecoderType, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole pictures in half precision are those of float32, within 2 levels of 255."""
    torch.manual_seed(0)
    model = build_super_resolver(EncoderType.EDSR, decoder, decoder_options=options).cuda().eval()
    lr = torch.rand(2, 3, 30, 40, device='cuda')
    exact = model.upscale(lr, (101, 140))
    calls = []
    launch = fused_mlp._launch
    monkeypatch.setattr(fused_mlp, '_launch', lambda *args: calls.append(1) or launch(*args))
    with torch.autocast('cuda', torch.bfloat16):
        half = model.upscale(lr, (101, 140))
    assert calls or decoder is DecoderType.LTE and options
    assert (half.float() - exact).abs().max().item() < 2 / 255
