"""The benchmark's arithmetic and its page; nothing is timed here."""

import sys
from pathlib import Path

import pytest
import torch

from Models import DecoderType
from Orchestrators.benchmark import loader, naive
from Orchestrators.benchmark.measuring import Spread, alternate, peak_memory_apart
from Orchestrators.benchmark.Plan import COMPARED, Plan
from Orchestrators.benchmark.running import run
from Orchestrators.benchmark.subjects import TrainingStep, build_model

CPU = torch.device('cpu')


def test_the_ratio_is_of_neighbors_in_time() -> None:
    """Both sides three times slower in the second alternation: the ratios stay 4 and 2, the medians do not."""
    now = 0.0
    seconds = iter([1.0, 4.0, 3.0, 6.0])

    def work() -> None:
        nonlocal now
        now += next(seconds)

    found = alternate(work, work, 2, lambda: now)
    assert (found.ours.median, found.naive.median) == (2.0, 5.0)
    assert found.ratio == Spread(3.0, 2.5, 3.5)
    assert next(seconds, None) is None


def test_quartiles_of_five_are_the_second_and_the_fourth() -> None:
    assert Spread.of([5.0, 1.0, 4.0, 2.0, 3.0]) == Spread(3.0, 2.0, 4.0)
    assert Spread.of([7.0]) == Spread(7.0, 7.0, 7.0)


@pytest.mark.skipif(not Path('/proc/self/clear_refs').exists(), reason='this system does not tell')
def test_peak_memory_is_that_of_the_call_even_if_freed() -> None:
    megabyte = 2**20

    def call() -> int:
        return len(bytearray(b'x') * (64 * megabyte)) + len(bytearray(b'x') * (32 * megabyte))

    found = peak_memory_apart(call, CPU, call)
    assert found is not None
    # The kernel counts in batches of some pages.
    assert 63 * megabyte <= found < 80 * megabyte


def test_a_failure_in_the_measured_process_is_told() -> None:
    if not Path('/proc/self/clear_refs').exists():
        pytest.skip('this system does not tell')

    def fail() -> None:
        sys.exit(3)

    with pytest.raises(MemoryError, match='ended with 3'):
        peak_memory_apart(fail, CPU, lambda: None)


@pytest.mark.parametrize('decoder', COMPARED)
def test_a_training_step_learns_the_same_on_both_sides(decoder: DecoderType) -> None:
    """The gradients of one batch, with weights that Adam has not moved yet."""
    if decoder is DecoderType.CLIT:
        pytest.skip('at its published size it takes gigabytes')
    model = build_model(decoder, Plan(), CPU)
    step = TrainingStep(model, naive, batch=2, patch=6)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    gradients = []
    for act in (step.ours, step.plain):
        model.load_state_dict(state)
        act()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    assert gradients[0].abs().max() > 0
    assert (gradients[0] - gradients[1]).abs().max() <= 1e-4 * gradients[0].abs().max()


def test_a_small_plan_is_written_as_page_and_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('matplotlib')
    monkeypatch.setattr(loader, '_SIZE', (200, 220))
    monkeypatch.setattr(loader, '_PICTURES', 1)
    plan = Plan(decoders=(DecoderType.MetaSR,), lr_sides=(6,), scales=(2.0, 3.0), alternations=1, batch=1, patch=6)
    results = run(plan, tmp_path / 'out')
    assert [row.case for row in results.inference] == [row.case for row in results.memory] == [(6, 2.0), (6, 3.0)]
    assert all(row.difference < 1e-5 for row in results.inference)
    page = (tmp_path / 'out' / 'benchmarks.md').read_text(encoding='utf-8')
    assert '| MetaSR | 6x6 | x3 |' in page
    assert '| in memory |' in page
    assert '![Time and memory over the size of the result](benchmarks.png)' in page
    assert (tmp_path / 'out' / 'benchmarks.png').read_bytes().startswith(b'\x89PNG')


def test_without_matplotlib_the_page_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
    plan = Plan(decoders=(DecoderType.MetaSR,), lr_sides=(6,), scales=(2.0, 3.0), parts=('memory',))
    run(plan, tmp_path)
    assert 'needs matplotlib' in caplog.text or not Path('/proc/self/clear_refs').exists()
    assert 'benchmarks.png' not in (tmp_path / 'benchmarks.md').read_text(encoding='utf-8')


def test_an_impossible_plan_is_refused() -> None:
    with pytest.raises(ValueError, match='alternations must be at least 1, got 0'):
        Plan(alternations=0)
    with pytest.raises(ValueError, match='LR sides and scales must be at least 1'):
        Plan(scales=(0.5,))


def test_a_plan_has_its_own_sizes_unless_others_are_given() -> None:
    assert len(Plan(full=True).timed_cases(DecoderType.LIIF)) == 4 * 5
    assert Plan(lr_sides=(120,), scales=(4.0,)).timed_cases(DecoderType.HIIF) == [(120, 4.0)]
    assert Plan().batch_of(DecoderType.LIIF) == 16
