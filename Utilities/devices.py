"""Devices on which tensors live, and the arithmetic there."""

import warnings
from typing import Any

import torch

from Utilities.distributed import ALONE, Ranks


def choose_device(setting: str, ranks: Ranks = ALONE) -> torch.device:
    """The device of a setting: `auto`, or a name as torch has it. Of several processes each has a GPU of its own.

    Raises:
        ValueError: for a device that this machine or this torch does not have.
    """
    if not ranks.is_alone and (setting.startswith('cuda') or setting == 'auto' and torch.cuda.is_available()):
        return _own_gpu(setting, ranks.local_rank)
    if setting == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(setting)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        gpus = [f"'cuda:{number}'" for number in range(torch.cuda.device_count())]
        there_are = ', '.join(gpus) if gpus else 'no GPU that torch can use'
        raise ValueError(
            f"device must be 'auto', 'cpu' or a device of this machine, got {setting!r}. This machine has {there_are}."
        ) from error
    return device


def _own_gpu(setting: str, local_rank: int) -> torch.device:
    if setting not in {'auto', 'cuda'}:
        raise ValueError(f"device must be 'auto', 'cuda' or 'cpu' for several processes, got {setting!r}.")
    if local_rank >= torch.cuda.device_count():
        raise ValueError(
            f'device = {setting!r}: this is process {local_rank + 1} of this machine, which has '
            f"{torch.cuda.device_count()} GPUs. Lower torchrun's --nproc-per-node, or set device = 'cpu'."
        )
    return torch.device('cuda', local_rank)


def describe_computation(device: torch.device) -> dict[str, Any]:
    """Everything besides torch's version that the last bits of a result depend on, by name."""
    kind = torch.cuda.get_device_name(device) if device.type == 'cuda' else device.type
    return {'device': kind, 'threads': torch.get_num_threads()}


def allow_tf32(allowed: bool) -> None:
    """Whether GPUs may round the factors of float32 convolutions and products to 10 bits, from here on.

    Both of torch's interfaces are set, to the same: it recommends `fp32_precision`, but its own compiler still reads
    the older one, and fails where they differ (pytorch#166387).
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.backends.cuda.matmul.allow_tf32 = allowed
        torch.backends.cudnn.allow_tf32 = allowed
    torch.backends.cuda.matmul.fp32_precision = 'tf32' if allowed else 'ieee'


def check_compiler(device: torch.device) -> None:
    """Try whether `torch.compile` works on a device; it takes seconds.

    Raises:
        ValueError: if it does not.
    """
    try:
        torch.compile(lambda number: number + 1)(torch.zeros(1, device=device))
    except Exception as error:
        # Whatever is missing, each of torch's parts has an exception of its own, and a long text.
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ValueError(
            f'compile = True needs what torch.compile needs, a C++ compiler and on a GPU Triton, and it failed here: '
            f'{reason} Install them, or leave compile False.'
        ) from error
