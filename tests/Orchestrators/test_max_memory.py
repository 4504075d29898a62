"""What a network takes is known before it runs, and a limit on it is kept."""

import ctypes
import gc
import logging
import multiprocessing
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from Configuration import BaseTestingConfiguration
from Models import DecoderType, EncoderType, TestingStrategy
from Models.SuperResolver import SuperResolver
from Orchestrators.Prediction.live_memory import LiveMemory
from Orchestrators.Prediction.memory_plan import HeldMemory, MemoryPlanner
from Orchestrators.Prediction.prediction import WholePredictor
from Orchestrators.Prediction.strategies import PlannedPredictor, predictor_of
from Orchestrators.Prediction.working_memory import WorkingMemory
from tests.conftest import PATIENCE
from tests.tiny_networks import tiny
from Utilities.memory import MIB, used_memory

CPU = torch.device('cpu')


def picture(side: int) -> Tensor:
    return 0.2 + 0.6 * torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1))


def planned(model: SuperResolver, max_memory: int) -> PlannedPredictor:
    predict = predictor_of(model, TestingStrategy.Simple, CPU, None, max_memory=max_memory)
    assert isinstance(predict, PlannedPredictor)
    return predict


# Counting


def test_bytes_in_use_are_counted_once_and_until_they_are_given_up() -> None:
    before = torch.zeros(1000)
    with LiveMemory() as memory:
        first = before + 1  # 4000 bytes
        view = first[:10].add_(1)
        second = torch.cat([first, first])  # 8000
        assert memory.now == 12_000
        del first
        assert memory.now == 12_000  # the view holds it
        del view
        assert memory.now == 8_000
        second = second.double()  # 16 000, while the 8000 are still there
        assert memory.now == 16_000
    assert memory.peak == 24_000


PAIRS = [(EncoderType.EDSR, decoder) for decoder in DecoderType] + [
    (encoder, DecoderType.LIIF) for encoder in EncoderType if encoder is not EncoderType.EDSR
]


@pytest.mark.parametrize(('encoder', 'decoder'), PAIRS)
def test_what_a_network_takes_is_told_from_small_crops(encoder: EncoderType, decoder: DecoderType) -> None:
    """As counted for a picture nine times as large, whose sides are multiples of nothing."""
    model = tiny(encoder, decoder)
    size, chunk = (101, 137), 400
    predicted = WorkingMemory(model, (2, 2)).peak(*size, chunk)
    lr = torch.rand(1, 3, *size)
    with LiveMemory() as memory:
        chunks = model.stream(lr, (2 * size[0], 2 * size[1]), queries_per_chunk=chunk)
        for _ in range(5):
            next(chunks)
        chunks.close()
    # The planner adds a tenth.
    assert memory.peak / 1.1 <= predicted <= 1.15 * memory.peak


# Planning


def test_the_whole_is_taken_where_it_fits() -> None:
    model = tiny(EncoderType.RCAN, DecoderType.SRNO)
    predict = planned(model, 100_000)
    lr = picture(20)
    found = predict(lr, (30, 50))
    assert torch.equal(found.image, WholePredictor(model, 2048)(lr, (30, 50)).image)
    assert found.exactness == 'exact'


@pytest.mark.parametrize(
    ('encoder', 'exactness', 'tolerance'),
    [(EncoderType.EDSR, 'exact', 1e-5), (EncoderType.RCAN, 'approximate', 1)],
)
def test_tiles_where_the_whole_does_not_fit(
    encoder: EncoderType, exactness: str, tolerance: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    model = tiny(encoder, DecoderType.LIIF, hidden=(256,))
    lr, size = picture(256), (282, 307)
    expected = model.upscale(lr, size)
    planned(model, 100_000)(lr, size)  # what is imported late
    gc.collect()
    seen: list[int] = []
    model.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(max(inputs[0].shape[2:])))
    predict = planned(model, used_memory(CPU) // MIB + 56 + 24 * (torch.get_num_threads() - 1))
    found = predict(lr, size)
    assert max(seen) < 256
    assert (found.image - expected).abs().max() <= tolerance
    assert found.exactness == exactness
    # Whatever was made in between, as what is asked of a value is answered by it.
    assert planned(model, 100_000)(picture(20), (30, 50)).exactness == 'exact'
    assert found.exactness == exactness
    assert ('approximate' in caplog.text) == (exactness == 'approximate')
    assert 'To stay within max_memory: tiles of' in caplog.text


def test_what_is_needed_at_least_is_said_and_is_enough() -> None:
    model = tiny(EncoderType.EDSR, DecoderType.LIIF)
    with pytest.raises(
        ValueError, match=r'max_memory must be at least \d+ MiB to make 400x300 pixels of 50x40'
    ) as caught:
        MemoryPlanner(model, 1).plan((40, 50), (300, 400), HeldMemory())
    least = int(re.findall(r'at least (\d+)', str(caught.value))[0])
    # The process itself may grow by a little in between.
    assert MemoryPlanner(model, least + 8).plan((40, 50), (300, 400), HeldMemory()).queries_per_chunk > 0
    with pytest.raises(ValueError, match='max_memory must be at least'):
        MemoryPlanner(model, least - 16).plan((40, 50), (300, 400), HeldMemory())


def test_more_memory_means_larger_tiles_and_what_the_caller_holds_smaller_ones() -> None:
    model = tiny(EncoderType.EDSR, DecoderType.LIIF, hidden=(256,))

    def side(more: int, held: HeldMemory | None = None) -> int:
        limit = used_memory(CPU) // MIB + more
        found = MemoryPlanner(model, limit).plan((500, 500), (1000, 1000), held or HeldMemory()).side
        assert found is not None
        return found

    planned(model, 100_000)(picture(16), (32, 32))  # what is imported late
    assert side(60) < side(160)
    assert side(160, HeldMemory(always=90 * MIB)) < side(160)
    assert side(160, HeldMemory(per_row=MIB)) < side(160)


def test_a_chunk_of_one_s_own_is_kept() -> None:
    model = tiny(EncoderType.EDSR, DecoderType.LIIF)
    plan = MemoryPlanner(model, used_memory(CPU) // MIB + 100, 96).plan((50, 50), (100, 100), HeldMemory())
    assert plan.queries_per_chunk == 96


@pytest.mark.parametrize('strategy', [TestingStrategy.Patched, TestingStrategy.OverlappingPatched])
def test_tiles_of_one_s_own_leave_nothing_to_plan(strategy: TestingStrategy) -> None:
    with pytest.raises(ValueError, match='max_memory has no effect with'):
        BaseTestingConfiguration(test_strategy=strategy, breakdown_patch_size=9, max_memory=1000)
    assert BaseTestingConfiguration(max_memory=1000).max_memory == 1000


# Keeping the limit


def high_water(reset: bool = False) -> int:
    """Most bytes that the process has had in memory since the last reset."""
    if reset:
        Path('/proc/self/clear_refs').write_text('5')
    text = Path('/proc/self/status').read_text()
    return int(re.findall(r'VmHWM:\s+(\d+) kB', text)[0]) * 1024


def can_measure() -> bool:
    if sys.platform != 'linux' or not Path('/proc/self/clear_refs').exists():
        return False
    try:
        high_water(reset=True)
    except OSError:
        return False
    return True


def leave_gaps() -> list[Tensor]:
    """Blocks with freed memory between them, as a long run leaves them."""
    ctypes.CDLL(None).mallopt(-3, 32 * MIB)  # up to here, blocks come from where gaps can be
    blocks = [torch.zeros(count) for _ in range(100) for count in (500_000, 20_000)]
    return blocks[1::2]


def upscale_within(limit: int, network: Any, side: int, scale: float, output: Path) -> None:
    """In a process of its own; writes down the high-water mark in MiB."""
    torch.set_num_threads(1)
    left = leave_gaps()
    model = tiny(*network[:2], **network[2]).requires_grad_(False)
    size = (round(side * scale), round(side * scale))
    # A fork has none of the libraries' code in its own memory until it runs.
    planned(model, 100_000)(picture(64), (128, 128))
    gc.collect()
    lr = picture(side)
    predict = planned(model, used_memory(CPU) // MIB + limit)
    high_water(reset=True)
    start = used_memory(CPU)
    predict(lr, size)
    output.write_text(f'{(high_water() - start) / MIB}')
    del left


LADDER = [(64, 2), (64, 4), (256, 2), (256, 4)]
NETWORKS = {
    'EDSR-LIIF': (EncoderType.EDSR, DecoderType.LIIF, {'hidden': (128, 128)}),
    'SwinIR-LTE': (EncoderType.SwinIR, DecoderType.LTE, {'hidden_dim': 64}),
}


@pytest.mark.skipif(not can_measure(), reason='this system does not tell the high-water mark')
@pytest.mark.parametrize('network', NETWORKS)
@pytest.mark.parametrize(('side', 'scale'), LADDER)
def test_the_process_stays_below_the_limit(network: str, side: int, scale: float, tmp_path: Path) -> None:
    result = 12 * (side * scale) ** 2 / MIB
    limit = 45 + 24 * (torch.get_num_threads() - 1) + round(result)
    arguments = (limit, NETWORKS[network], side, scale, tmp_path / 'output.txt')
    process = multiprocessing.get_context('fork').Process(target=upscale_within, args=arguments)
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == 0
    peak = float((tmp_path / 'output.txt').read_text())
    assert result < peak <= limit


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU here')
def test_on_a_gpu_the_allocator_stays_below_the_limit_and_the_result_is_elsewhere() -> None:
    model = tiny(EncoderType.EDSR, DecoderType.LIIF, hidden=(128, 128)).cuda()
    device = model.mean.device
    lr, size = picture(512), (4096, 4096)  # 201 MB of result
    predict = predictor_of(model, TestingStrategy.Simple, device, None, max_memory=100)
    predict(picture(16), (32, 32))
    torch.cuda.reset_peak_memory_stats(device)
    found = predict(lr, size)
    assert found.image.device == CPU
    assert torch.cuda.max_memory_allocated(device) <= 100 * MIB
