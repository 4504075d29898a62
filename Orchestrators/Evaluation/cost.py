"""Cost of a network: parameters, multiply-adds, time and memory for one LR picture of a stated size."""

import copy
import dataclasses
import logging
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from Models.SuperResolver import SuperResolver
from Utilities.coordinates import AnyScale, scale_per_axis
from Utilities.memory import peak_memory_of

_LOGGER = logging.getLogger(__name__)
_WARM_UPS = 2


@dataclasses.dataclass(frozen=True)
class Cost:
    """Cost of upscaling one LR image whole."""

    lr_size: tuple[int, int]
    """(height, width) in pixels."""

    parameters: int
    """Trainable numbers of encoder and decoder."""

    multiply_adds: int
    """Those of convolutions and matrix products; half of torch's FLOPs. Elementwise functions, interpolation and
    Fourier transforms are not counted. Fewer than by a paper's formula where work is shared; the same on every device.
    """

    latency_median_seconds: float
    latency_q1_seconds: float
    latency_q3_seconds: float
    """Median and quartiles of the time, from the picture on the device to the result on it."""

    peak_memory_bytes: int | None
    """Memory at the peak above that before, so without the weights and the LR picture: of torch's allocator on CUDA, of
    the process on the CPU (Linux). None: it can't be told here."""


def measure_cost(  # noqa: PLR0913
    network: SuperResolver,
    lr_size: tuple[int, int],
    scale: AnyScale,
    device: torch.device,
    *,
    queries_per_chunk: int | None = None,
    repetitions: int = 5,
) -> Cost:
    """Measure a network on a random picture.

    Args:
        network: the network, already on `device`, in evaluation mode.
        lr_size: (height, width) of the LR picture.
        scale: HR size over LR size.
        device: where it computes.
        queries_per_chunk: coordinates per query; None: chosen for the device.
        repetitions: how often the time is taken, at least 5, after two runs that warm up.
    """
    if repetitions < 5:
        raise ValueError(f'repetitions must be at least 5, as quartiles need them, got {repetitions}.')
    vertical, horizontal = scale_per_axis(scale)
    size = (round(lr_size[0] * vertical), round(lr_size[1] * horizontal))
    lr = torch.rand(1, 3, *lr_size, generator=torch.Generator().manual_seed(0)).to(device)

    def upscale() -> Float[Tensor, '1 3 height width']:
        return network.upscale(lr, size, queries_per_chunk=queries_per_chunk)

    # Timing comes first: what torch loads at the first call shall not count as memory.
    seconds = _seconds(upscale, device, repetitions)
    peak = _peak_memory(upscale, device)
    first, median, third = statistics.quantiles(seconds, n=4, method='inclusive')
    return Cost(
        lr_size=lr_size,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        multiply_adds=_multiply_adds(network, lr, size),
        latency_median_seconds=median,
        latency_q1_seconds=first,
        latency_q3_seconds=third,
        peak_memory_bytes=peak,
    )


def cost_columns(cost: Cost) -> dict[str, Any]:
    """The fields of a table's row."""
    numbers = {field.name: getattr(cost, field.name) for field in dataclasses.fields(Cost) if field.name != 'lr_size'}
    return {'cost_lr_size': '{1}x{0}'.format(*cost.lr_size)} | numbers


def _multiply_adds(network: SuperResolver, lr: Float[Tensor, '1 3 h w'], size: tuple[int, int]) -> int:
    def count(counted: SuperResolver, image: Float[Tensor, '1 3 h w']) -> int:
        with FlopCounterMode(display=False) as counter:
            counted.upscale(image, size)
        return counter.get_total_flops() // 2

    # Shapes alone: nothing is computed, and no kernels that a device has of its own escape the counter.
    try:
        return count(copy.deepcopy(network).to('meta'), lr.to('meta'))
    except NotImplementedError:
        # Native and CLIT look at numbers, such as sizes that are kept in tensors.
        return count(network, lr)


def _seconds(upscale: Callable[[], object], device: torch.device, repetitions: int) -> list[float]:
    seconds = []
    for _ in range(_WARM_UPS + repetitions):
        _wait_for(device)
        start = time.perf_counter()
        upscale()
        _wait_for(device)
        seconds.append(time.perf_counter() - start)
    return seconds[_WARM_UPS:]


def _wait_for(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def _peak_memory(upscale: Callable[[], object], device: torch.device) -> int | None:
    try:
        return peak_memory_of(upscale, device)
    except OSError as error:
        _LOGGER.warning('The peak of memory is missing: %s.', error)
        return None
