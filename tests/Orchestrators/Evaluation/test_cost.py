"""Cost against formulas worked by hand."""

import logging
from pathlib import Path

import pytest
import torch

from Models import DecoderType, EncoderType
from Models.build import build_super_resolver
from Models.SuperResolver import SuperResolver
from Orchestrators.Evaluation import cost as cost_module
from Orchestrators.Evaluation.cost import measure_cost
from tests.tiny_networks import tiny
from Utilities.memory import peak_memory_of

CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def edsr_liif() -> SuperResolver:
    torch.manual_seed(0)
    return build_super_resolver(EncoderType.EDSR, DecoderType.LIIF).eval()


@pytest.mark.parametrize(('lr_size', 'scale', 'size'), [((8, 6), 2, (16, 12)), ((5, 7), (2.0, 3.0), (10, 21))])
def test_parameters_and_multiply_adds_of_edsr_with_liif_by_hand(
    edsr_liif: SuperResolver, lr_size: tuple[int, int], scale: float | tuple[float, float], size: tuple[int, int]
) -> None:
    pixels, queries = lr_size[0] * lr_size[1], size[0] * size[1]
    # EDSR-baseline's trunk: one convolution 3 -> 64, then two in each of 16 blocks and one behind them, all 3x3.
    encoder = 3 * 64 * 9 + 33 * 64 * 64 * 9
    # LIIF: 9 x 64 features, 2 for the offset, 2 for the cell; four hidden layers of 256; 3 colors.
    hidden = 3 * 256 * 256
    parameters = encoder + 34 * 64 + (580 * 256 + 256) + hidden + 3 * 256 + (256 * 3 + 3)
    # The features' share of the first layer is computed once per LR pixel, that of the cell once; the four answers are
    # blended before the last layer.
    decoder = pixels * 576 * 256 + 2 * 256 + queries * (4 * (2 * 256 + hidden) + 256 * 3)

    cost = measure_cost(edsr_liif, lr_size, scale, CPU)
    assert cost.lr_size == lr_size
    assert cost.parameters == parameters == 1_567_299
    assert cost.multiply_adds == pixels * encoder + decoder


def test_networks_that_look_at_numbers_are_counted_too() -> None:
    """EDSR's own tail for x2: one convolution to four times the channels, and one to three colors at the end."""
    network = tiny(EncoderType.EDSR, DecoderType.Native)
    trunk = 3 * 8 * 9 + 3 * 8 * 8 * 9
    tail = 8 * 32 * 9 + 4 * 8 * 3 * 9
    assert measure_cost(network, (6, 5), 2, CPU).multiply_adds == 30 * (trunk + tail)


@pytest.mark.parametrize('decoder', [kind for kind in DecoderType if kind is not DecoderType.Native])
def test_every_decoder_is_counted_in_proportion_to_the_pixels(decoder: DecoderType) -> None:
    """Four times the pixels at the same scale; what is done once per picture hardly counts."""
    small, large = (cost_module._multiply_adds(tiny(EncoderType.EDSR, decoder), torch.rand(1, 3, side, side),
                                               (2 * side, 2 * side)) for side in (8, 16))  # fmt: skip
    # Attention over the whole picture grows with the square.
    assert 3 * small < large < 17 * small


def test_memory_grows_with_the_output() -> None:
    """At x16, the result alone takes 3 x 4 bytes for each of 768 x 768 pixels."""
    network = tiny(EncoderType.EDSR, DecoderType.LIIF)
    small, large = (measure_cost(network, (48, 48), scale, CPU).peak_memory_bytes for scale in (1, 16))
    if small is None or large is None:
        pytest.skip('the peak of memory can not be read here')
    assert large - small > 0.6 * 3 * 4 * 768**2
    assert large < 64 * 1024**2


def test_peak_memory_is_what_a_known_allocation_takes() -> None:
    def allocate() -> None:
        torch.ones(8 * 1024**2).sum()  # 32 MiB

    try:
        allocate()
        found = [peak_memory_of(allocate, CPU) for _ in range(2)]
    except OSError:
        pytest.skip('the peak of memory can not be read here')
    assert found == pytest.approx([32 * 1024**2] * 2, rel=0.2)


def test_memory_that_can_not_be_read_is_missing_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, 'Permission denied', '/proc/self/clear_refs')

    monkeypatch.setattr(Path, 'write_text', refuse)
    cost = measure_cost(tiny(EncoderType.EDSR, DecoderType.LIIF), (8, 8), 2, CPU)
    assert cost.peak_memory_bytes is None
    (message,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert message.startswith('The peak of memory is missing')
    assert 'Permission denied' in message


def test_quartiles_are_those_of_the_runs_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that is set ahead: 100 and 90 s to warm up, then 5, 1, 4, 2, 3 s."""
    clock = iter([0, 100, 0, 90, 0, 5, 0, 1, 0, 4, 0, 2, 0, 3])
    monkeypatch.setattr(cost_module.time, 'perf_counter', lambda: float(next(clock)))
    cost = measure_cost(tiny(EncoderType.EDSR, DecoderType.LIIF), (6, 6), 2, CPU)
    quartiles = (cost.latency_q1_seconds, cost.latency_median_seconds, cost.latency_q3_seconds)
    assert quartiles == (2, 3, 4)


def test_fewer_than_five_repetitions_are_refused() -> None:
    with pytest.raises(ValueError, match='repetitions must be at least 5'):
        measure_cost(tiny(EncoderType.EDSR, DecoderType.LIIF), (6, 6), 2, CPU, repetitions=4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU')
def test_cost_on_a_gpu_counts_the_same_and_has_a_peak() -> None:
    """The peak holds at least the result; the weights and the input were there before."""
    network = tiny(EncoderType.EDSR, DecoderType.LIIF)
    on_cpu = measure_cost(network, (32, 32), 4, CPU, queries_per_chunk=65536)
    on_gpu = measure_cost(network.cuda(), (32, 32), 4, torch.device('cuda'), queries_per_chunk=65536)
    assert on_gpu.multiply_adds == on_cpu.multiply_adds
    assert on_gpu.peak_memory_bytes is not None
    assert on_gpu.peak_memory_bytes >= 3 * 4 * 128**2
