"""A step that can't be trusted, or does not fit, ends the run before the weights change, and says where and why."""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from Configuration import Constant
from Datasets.TrainingCrops import TrainingBatch, TrainingCrops
from Losses.PixelL1 import PixelL1
from Models import SavedModelType
from Orchestrators.Prediction.file_names import checkpoint_path
from Orchestrators.Steps.ReconstructionStep import ReconstructionStep
from Orchestrators.Steps.TrainingStep import TrainingStep
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PictureMaker
from tests.tiny import TrainTiny
from Utilities.Checkpoint import Checkpoint, content_hash
from Utilities.command_line import run_command

NAN = float('nan')
BAD_STEP = 5  # of three per epoch: the second batch of the second epoch


def last_of(recipe: TrainTiny) -> Path:
    return checkpoint_path(recipe, SavedModelType.Last, recipe.save_path)


def fail(capsys: pytest.CaptureFixture[str], **settings: Any) -> str:
    """What a script that trains says when it ends with 1."""
    with pytest.raises(SystemExit) as end:
        run_command(lambda: TrainingOrchestrator(TrainTiny(**settings)).train() and None, show_traceback=False)
    assert end.value.code == 1
    return capsys.readouterr().err.strip().splitlines()[-1]


def at_call(number: int, patched: Any, name: str, instead: Callable[..., Any], patch: pytest.MonkeyPatch) -> None:
    """Replace one call of a function; `instead` is given the original first."""
    original, calls = getattr(patched, name), iter(range(1, 10**6))

    @functools.wraps(original)
    def call(*arguments: Any, **named: Any) -> Any:
        chosen = functools.partial(instead, original) if next(calls) == number else original
        return chosen(*arguments, **named)

    patch.setattr(patched, name, call)


def bad_input(original: Any, batch: TrainingBatch, device: torch.device) -> TrainingBatch:
    return original(batch, device)._replace(lr=batch.lr.clone().fill_(NAN))


def bad_loss(original: Any, *colors: Any) -> torch.Tensor:
    return original(*colors) * float('inf')


def bad_gradient(original: Any, step: ReconstructionStep, batch: TrainingBatch, *more: Any) -> Any:
    handle = next(step.learner.network.parameters()).register_hook(lambda gradient: gradient * NAN)
    try:
        return original(step, batch, *more)
    finally:
        handle.remove()


def bad_weights(original: Any, step: ReconstructionStep, batch: TrainingBatch, *more: Any) -> Any:
    next(step.learner.network.parameters()).data[0] = NAN
    return original(step, batch, *more)


FAULTS: dict[str, tuple[Any, str, Callable[..., Any], str]] = {
    'input': (TrainingBatch, 'to', bad_input, 'loss is nan, norm of the gradient is nan'),
    'loss': (PixelL1, 'forward', bad_loss, 'loss is inf, norm of the gradient is nan'),
    'gradient': (TrainingStep, 'learn_from', bad_gradient, r'loss is 0\.\d+, norm of the gradient is nan'),
    'weights': (TrainingStep, 'learn_from', bad_weights, 'loss is nan, norm of the gradient is nan'),
}


@pytest.mark.parametrize('deferred', [False, True])
@pytest.mark.parametrize('place', FAULTS)
def test_what_is_not_finite_ends_the_run_and_is_found_in_its_files(
    place: str,
    deferred: bool,
    make_pictures: PictureMaker,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """FAULTS case 21: exit 1 before the update; epoch, batch, step, files, loss, norm; `last` is finite and older."""
    make_pictures(count=6)
    if deferred:  # As on a GPU, where the update is skipped and the run ends a batch later.
        plain = torch.optim.Adam
        monkeypatch.setattr(torch.optim, 'Adam', lambda *given, **named: plain(*given, **named | {'fused': True}))
    settings: dict[str, Any] = {'repeat': 2, 'schedule': Constant()}
    TrainingOrchestrator(TrainTiny(epochs=1, **settings)).train()
    before = content_hash(Checkpoint.load(last_of(TrainTiny())).network)

    asked: list[list[int]] = [[]]
    fetch = TrainingCrops.__getitems__

    def watch(self: TrainingCrops, positions: Any) -> TrainingBatch:
        asked[-1] += [sample for _, sample, _ in positions]
        return fetch(self, positions)

    monkeypatch.setattr(TrainingCrops, '__getitems__', watch)
    to_device = TrainingBatch.to

    def close_batch(self: TrainingBatch, device: torch.device) -> TrainingBatch:
        asked.append([])
        return to_device(self, device)

    monkeypatch.setattr(TrainingBatch, 'to', close_batch)
    patched, name, instead, message = FAULTS[place]
    at_call(BAD_STEP - 3, patched, name, instead, monkeypatch)
    said = fail(capsys, epochs=3, **settings)
    assert re.search(rf'Epoch 2, batch 2 \(step 5\): {message}\. The weights are as they were before it', said), said
    files = said.split('cut from ')[1].split('. ')[0].split(', ')
    assert sorted(files) == sorted({f'pictures/picture_{sample % 6}.png' for sample in asked[1]})
    assert 'last.pth is whole; run the same command to go on from it.' in said
    checkpoint = Checkpoint.load(last_of(TrainTiny()))
    assert checkpoint.progress['epoch'] == 1
    assert content_hash(checkpoint.network) == before
    assert all(weight.isfinite().all() for weight in checkpoint.network.values())


@pytest.mark.parametrize(
    'error',
    [
        torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.'),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
    ],
)
def test_a_step_that_does_not_fit_says_how_large_it_was(
    error: RuntimeError,
    make_pictures: PictureMaker,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """FAULTS case 34: exit 1, and never a smaller batch."""
    make_pictures()
    steps: list[TrainingBatch] = []
    run = TrainingStep.learn_from

    def run_out(step: TrainingStep, batch: TrainingBatch, *more: Any) -> Any:
        steps.append(batch)
        if len(steps) == 3:
            raise error
        return run(step, batch, *more)

    monkeypatch.setattr(TrainingStep, 'learn_from', run_out)
    said = fail(capsys)
    found = re.search(
        r'Epoch 1, batch 3 \(step 3\): out of memory, with batch_size = 4, input_patch = 8, 64 queries per sample and '
        r'scales from x(\d\.\d\d) to x(\d\.\d\d); at most (\d+\.\d) GiB by this process were in use\. Lower batch_size',
        said,
    )
    assert found is not None, said
    # The cell is 2 over the side of the crop, which is that of the patch times the scale.
    sides = [2 / cell / 8 for cell in steps[2].cell[:, 0].tolist()]
    assert [float(scale) for scale in found.groups()[:2]] == pytest.approx([min(sides), max(sides)], abs=0.006)
    assert 0 < float(found[3]) < 64
    assert 'Nothing was saved yet' in said
    assert len(steps) == 3


def test_other_errors_of_a_step_stay_what_they_are(
    make_pictures: PictureMaker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_pictures()

    def break_down(*_: Any) -> None:
        raise RuntimeError('something else')

    monkeypatch.setattr(TrainingStep, 'learn_from', break_down)
    assert 'Epoch 1, after batch 0: something else Nothing was saved yet.' in fail(capsys)
