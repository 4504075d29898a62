"""With every setting of the step, a run that is stopped anywhere ends bit for bit as one that is not."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from Configuration import MultiStep
from Models import DecoderType, SavedModelType
from Orchestrators.Prediction.file_names import checkpoint_path
from Orchestrators.Steps.TrainingStep import TrainingStep
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PictureMaker
from tests.tiny import TrainTiny
from Utilities.Checkpoint import Checkpoint, content_hash

# Four batches per epoch, in groups of three and one.
ALL = {
    'precision': 'bfloat16',
    'accumulate': 3,
    'clip_gradient': 0.05,
    'ema_decay': 0.9,
    'channels_last': True,
    'batch_size': 3,
    'epochs': 2,
    'schedule': MultiStep((1,)),
}


@pytest.fixture
def pictures(make_pictures: PictureMaker) -> None:
    make_pictures()


def state_of(folder: str, decoder: DecoderType = DecoderType.LIIF) -> Checkpoint:
    return Checkpoint.load(checkpoint_path(TrainTiny(decoder=decoder), SavedModelType.Last, folder))


def fingerprint(folder: str, decoder: DecoderType = DecoderType.LIIF) -> str:
    last = state_of(folder, decoder)
    return content_hash([last.network, last.learners, last.progress, last.rng])


def train(folder: str, **settings: Any) -> None:
    TrainingOrchestrator(TrainTiny(save_path=folder, **settings)).train()


def train_with_stop(folder: str, after: int, patch: pytest.MonkeyPatch, **settings: Any) -> None:
    """Train until SIGTERM comes in a batch, and then, by what the file says, to the end."""
    run, batches = TrainingStep.learn_from, iter(range(1, 1000))

    def run_and_stop(step: TrainingStep, *batch: Any) -> Any:
        result = run(step, *batch)
        if next(batches) == after:
            os.kill(os.getpid(), signal.SIGTERM)
        return result

    with patch.context() as context:
        context.setattr(TrainingStep, 'learn_from', run_and_stop)
        with pytest.raises(SystemExit) as end:
            train(folder, **settings)
    assert end.value.code == 143
    stopped = state_of(folder, settings.get('decoder', DecoderType.LIIF)).progress
    assert 4 * stopped['epoch'] + stopped['batch'] == after
    # What torch itself draws from, such as dropout, must come from the file, too.
    torch.manual_seed(after)
    train(folder, **settings)


@pytest.mark.usefixtures('pictures')
@pytest.mark.parametrize('after', [1, 2, 3, 5])
def test_all_settings_at_once_resume_bit_for_bit(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 1, 2 and 5 batches, in the middle of an update."""
    train('undisturbed', **ALL)
    train_with_stop('stopped', after, monkeypatch, **ALL)
    assert fingerprint('stopped') == fingerprint('undisturbed')


@pytest.mark.usefixtures('pictures')
def test_a_stop_in_the_middle_of_an_update_keeps_its_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them the run ends otherwise, so the test above would notice."""
    train('undisturbed', **ALL)
    load = Checkpoint.load.__func__  # type: ignore[attr-defined]

    def forget(cls: type[Checkpoint], path: Path) -> Checkpoint:
        checkpoint = load(cls, path)
        updater = checkpoint.learners['super_resolver']['updater']
        if 'gradients' in updater:
            assert updater['samples'] == 6
            for gradient in updater['gradients'].values():
                gradient.zero_()
        return checkpoint

    monkeypatch.setattr(Checkpoint, 'load', classmethod(forget))
    train_with_stop('stopped', 2, monkeypatch, **ALL)
    assert fingerprint('stopped') != fingerprint('undisturbed')


@pytest.mark.usefixtures('pictures')
@pytest.mark.parametrize('after', [2, 4])
def test_float16_resumes_with_its_scale_also_after_an_overflow(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ALL | {'precision': 'float16', 'clip_gradient': None, 'accumulate': 1}
    # The first scale overflows with some gradients of this network, if they are so much larger.
    from Losses.PixelL1 import PixelL1

    forward = PixelL1.forward
    monkeypatch.setattr(PixelL1, 'forward', lambda *inputs: 3000 * forward(*inputs))
    train('undisturbed', **settings)
    train_with_stop('stopped', after, monkeypatch, **settings)
    assert state_of('undisturbed').learners['super_resolver']['updater']['scaler']['scale'] < 2**16
    assert fingerprint('stopped') == fingerprint('undisturbed')


@pytest.mark.usefixtures('pictures')
@pytest.mark.parametrize(
    'setting', [{'accumulate': 2}, {'clip_gradient': 0.01}, {'ema_decay': 0.9}, {'precision': 'bfloat16'}]
)
def test_each_setting_changes_the_result(setting: dict[str, Any]) -> None:
    train('plain')
    train('other', **setting)
    assert content_hash(state_of('plain').network) != content_hash(state_of('other').network)


@pytest.mark.usefixtures('pictures')
@pytest.mark.parametrize(
    'setting',
    [
        {'accumulate': 2},
        {'clip_gradient': 1.0},
        {'ema_decay': 0.9},
        {'precision': 'bfloat16'},
        {'channels_last': False},
        {'tf32': False},
        {'compile': True},
    ],
)
def test_none_of_the_settings_may_change_on_the_way(setting: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('Orchestrators.Steps.Learner.check_compiler', lambda _: None)
    train('run', epochs=1)
    ((name, value),) = setting.items()
    with pytest.raises(ValueError, match=f'  {name}: .* in the file, {value!r} in the recipe'):
        train('run', epochs=2, **setting)


@pytest.mark.usefixtures('pictures')
def test_a_likelihood_resumes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ALL | {
        'decoder': DecoderType.LINF,
        'decoder_options': {'hidden_dim': 16, 'hidden': (16,), 'flow_layers': 2},
    }
    train('undisturbed', **settings)
    train_with_stop('stopped', 2, monkeypatch, **settings)
    assert fingerprint('stopped', DecoderType.LINF) == fingerprint('undisturbed', DecoderType.LINF)


@pytest.mark.usefixtures('pictures')
def test_a_checkpoint_of_before_a_setting_resumes_where_the_setting_is_off() -> None:
    """FAULTS case 15: a file that does not name it was trained as its default has it."""
    train('run', epochs=1)
    path = checkpoint_path(TrainTiny(), SavedModelType.Last, 'run')
    checkpoint = Checkpoint.load(path)
    del checkpoint.configuration['ema_decay']
    checkpoint.save(path)
    with pytest.raises(ValueError, match='ema_decay: None in the file, 0.9 in the recipe'):
        train('run', epochs=2, ema_decay=0.9)
    train('run', epochs=2)
    assert state_of('run').progress['epoch'] == 2
