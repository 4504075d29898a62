"""Numbers that are not finite never reach the weights, and nothing waits for the device to see to it."""

import io
import time
from collections import Counter
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from tqdm import tqdm

from Datasets.TrainingCrops import TrainingBatch
from Models import DecoderType
from Orchestrators.Steps.FiniteCheck import FiniteCheck, NotFiniteError
from Orchestrators.Training.averages import RunningMean
from Orchestrators.Training.Pace import ProgressBar
from tests.tiny_steps import TinyStep, tiny_batch, tiny_step, weights_of

CPU = torch.device('cpu')
NAN, INF = float('nan'), float('inf')


@pytest.mark.parametrize(('loss', 'norm'), [(NAN, 1.0), (1.0, NAN), (INF, 1.0), (1.0, INF), (-INF, INF)])
def test_on_the_spot_it_raises_at_once(loss: float, norm: float) -> None:
    check = FiniteCheck(CPU, deferred=False)
    assert check.note(1, torch.tensor(0.5), torch.tensor(2.0)) is None
    with pytest.raises(NotFiniteError, match=f'loss is {loss}, norm of the gradient is {norm}') as error:
        check.note(2, torch.tensor(loss), torch.tensor(norm))
    assert error.value.batch == 2


@pytest.mark.parametrize(('loss', 'norm'), [(NAN, 1.0), (1.0, NAN), (INF, 1.0), (1.0, INF)])
def test_deferred_it_skips_this_and_all_later_updates_and_raises_at_the_next_look(loss: float, norm: float) -> None:
    sound = (torch.tensor(0.5), torch.tensor(2.0))
    message = f'loss is {loss}, norm of the gradient is {norm}'
    for looks_by_itself in (False, True):
        check = FiniteCheck(CPU, deferred=True)
        assert check.note(1, *sound) == 0
        check.settle()
        assert check.note(2, torch.tensor(loss), torch.tensor(norm)) == 1
        if looks_by_itself:
            # What the device found is asked for in one batch and read in the next.
            assert check.note(3, *sound) == 1
        with pytest.raises(NotFiniteError, match=message) as error:
            check.note(4, *sound) if looks_by_itself else check.settle()
        assert error.value.batch == 2


def test_deferred_it_names_the_first_of_several_bad_batches() -> None:
    check = FiniteCheck(CPU, deferred=True)
    check.note(1, torch.tensor(NAN), torch.tensor(1.0))
    assert check.note(2, torch.tensor(INF), torch.tensor(2.0)) == 1
    with pytest.raises(NotFiniteError, match='loss is nan, norm of the gradient is 1.0'):
        check.note(3, torch.tensor(INF), torch.tensor(2.0))


def test_several_processes_look_at_the_same_batches() -> None:
    """However early it has come over, a bad number is told of at the next multiple of `look_every`."""
    check = FiniteCheck(CPU, deferred=True, look_every=4)
    for batch, loss in enumerate((1.0, float('nan'), 1.0), 1):
        check.note(batch, torch.tensor(loss), torch.tensor(1.0))
    with pytest.raises(NotFiniteError) as error:
        check.note(4, torch.tensor(1.0), torch.tensor(1.0))
    assert error.value.batch == 2


@pytest.mark.parametrize('deferred', [False, True])
def test_a_norm_may_overflow_where_that_is_expected_but_a_loss_may_not(deferred: bool) -> None:
    check = FiniteCheck(CPU, deferred=deferred)
    check.note(1, torch.tensor(1.0), torch.tensor(INF), norm_may_overflow=True)
    check.settle()

    def note_bad_loss() -> None:
        check.note(2, torch.tensor(INF), torch.tensor(1.0), norm_may_overflow=True)
        check.settle()

    with pytest.raises(NotFiniteError):
        note_bad_loss()


# In a step


def spoil_gradient(step: TinyStep) -> None:
    """One number of one gradient of the next batch."""

    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        handle.remove()
        spoiled = gradient.clone()
        spoiled.view(-1)[0] = NAN
        return spoiled

    handle = next(step.learner.network.parameters()).register_hook(spoil)


@pytest.mark.parametrize('settings', [{}, {'accumulate': 2}, {'clip_gradient': 0.1}, {'precision': 'bfloat16'}])
@pytest.mark.parametrize('fused', [None, True])
def test_a_bad_gradient_leaves_weights_and_optimizer_as_they_were(fused: bool | None, settings: dict[str, Any]) -> None:
    step, undisturbed = (tiny_step(fused=fused, batches=8, **settings) for _ in range(2))
    for seed in (1, 2):
        step.learn_from(tiny_batch(seed=seed))
        undisturbed.learn_from(tiny_batch(seed=seed))
    before = step.learner.optimizer.state_dict()['state'][0]['exp_avg'].clone()
    spoil_gradient(step)

    def go_on() -> None:
        for seed in range(3, 7):
            step.learn_from(tiny_batch(seed=seed))

    with pytest.raises(NotFiniteError, match='loss is 0.*, norm of the gradient is nan') as error:
        go_on()
    assert error.value.batch == 3
    for name, weight in weights_of(undisturbed).items():
        assert torch.equal(weight, weights_of(step)[name])
    state = step.learner.optimizer.state_dict()['state'][0]
    assert torch.equal(state['exp_avg'], before)
    assert state['step'] == (1 if settings.get('accumulate') else 2)


def test_a_save_looks_first() -> None:
    step = tiny_step(fused=True)
    step.learn_from(tiny_batch(seed=1))
    step.state()
    spoil_gradient(step)
    step.learn_from(tiny_batch(seed=2))
    with pytest.raises(NotFiniteError):
        step.state()


# Waiting


class Waits(TorchDispatchMode):
    """Counts what makes the host wait for a GPU: numbers of a tensor that Python asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        if function.name() in {'aten::_local_scalar_dense', 'aten::nonzero', 'aten::equal', 'aten::unique_dim'}:
            self.counts[function.name()] += 1
        return function(*arguments, **(named or {}))


class Readings(TorchFunctionMode):
    """What goes past the dispatcher on a CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        name = getattr(function, '__name__', '')
        if name in {'tolist', 'item', 'cpu', '__bool__', '__float__', '__int__', '__index__'}:
            self.counts[name] += 1
        return function(*arguments, **(named or {}))


def waits_of(step: TinyStep, batches: list[TrainingBatch]) -> Counter[str]:
    """Of batches as the orchestrator learns from them, with a bar that has just been printed."""
    means: dict[str, RunningMean] = {}
    with ProgressBar(1000, 0) as bar:
        bar._bar = tqdm(total=1000, disable=False, file=io.StringIO())
        bar._last_readout = time.monotonic()
        with Waits() as waits, Readings() as readings:
            for batch in batches:
                parts = step.learn_from(batch)
                for name, value in parts.items():
                    means.setdefault(name, RunningMean()).add(value, 2)
                bar.advance(2, 'Epoch 1/1', parts['loss'], parts.get('mse'))
    return waits.counts + readings.counts


def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What networks do on a CPU only, as it makes a GPU wait."""
    monkeypatch.setattr('Models.Decoders.Native._is_waited_for', lambda _: False)
    monkeypatch.setattr('Models.Layers.blended_lookup._cut_to_reach', lambda *table_and_pixel: table_and_pixel)


# CLIT has to know how large the pictures are that it is asked for: which stages take part depends on it.
@pytest.mark.parametrize('decoder', [decoder for decoder in DecoderType if decoder is not DecoderType.CLIT])
@pytest.mark.parametrize('precision', ['float32', 'float16'])
def test_deferred_nothing_waits_between_prints(
    decoder: DecoderType, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('Orchestrators.Training.Pace._SECONDS_BETWEEN_READOUTS', 1000)
    as_on_a_gpu(monkeypatch)
    step = tiny_step(
        decoder=decoder,
        fused=True,
        batches=100,
        precision=precision,
        accumulate=2,
        clip_gradient=0.1,
        ema_decay=0.9,
    )
    assert waits_of(step, [tiny_batch(seed=seed) for seed in range(4)]) == {}


def test_waiting_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The count above can be another than zero: on the spot, and when the bar is printed."""
    # Not Adam's, which on a CPU reads how often it stepped.
    spot = tiny_step(optimizer=torch.optim.SGD)
    assert waits_of(spot, [tiny_batch()])['aten::_local_scalar_dense'] == 1
    monkeypatch.setattr('Orchestrators.Training.Pace._SECONDS_BETWEEN_READOUTS', 0)
    assert waits_of(tiny_step(fused=True), [tiny_batch()])['item'] == 2


def test_a_grid_that_native_does_not_know_is_refused_by_the_check_where_nothing_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a GPU, where the decoder itself can't raise without waiting."""
    monkeypatch.setattr('Models.Decoders.Native._is_waited_for', lambda _: False)
    step = tiny_step(decoder=DecoderType.Native, fused=True)
    step.learn_from(tiny_batch())
    step.settle()
    wrong = tiny_batch()
    step.learn_from(wrong._replace(coord=wrong.coord + 0.02))
    with pytest.raises(NotFiniteError, match='loss is nan'):
        step.settle()
