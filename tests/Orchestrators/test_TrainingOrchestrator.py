"""A run does what its recipe says, resumes bit for bit, and refuses what it can't do."""

import dataclasses
import json
import logging
import os
import random as python_random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from Configuration import Constant, MultiStep
from Models import DecoderType, SavedModelType, TrackerType
from Orchestrators.Prediction.file_names import checkpoint_path
from Orchestrators.Training.Progress import Progress
from Orchestrators.Training.Validated import Metric
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PATIENCE, PictureMaker
from tests.killed_runs import after_a_moment, fingerprint, start, state_of, stop_and_continue
from tests.tiny import TrainTiny
from Utilities.Checkpoint import previous_of
from Utilities.command_line import RunFailedError


def train(**settings: Any) -> str:
    recipe = TrainTiny(**settings)
    TrainingOrchestrator(recipe).train()
    return fingerprint(state_of(recipe))


@pytest.fixture
def pictures(make_pictures: PictureMaker) -> None:
    make_pictures()


@pytest.fixture
def reference(pictures: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Fingerprint of an undisturbed run."""
    return train(save_path=str(tmp_path_factory.mktemp('undisturbed')))


@pytest.mark.usefixtures('pictures')
def test_a_run_learns_and_writes_what_it_says(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    recipe = TrainTiny(epochs=6, save_every=3, sample_pictures=1, trackers=(TrackerType.TensorBoard,), curves=True)
    best = TrainingOrchestrator(recipe).train()
    assert best == checkpoint_path(recipe, SavedModelType.Best, '.')
    losses = [float(line.split('loss ')[1].split(',')[0]) for line in caplog.messages if line.startswith('Epoch')]
    assert len(losses) == 6
    assert losses[-1] < 0.7 * losses[0]
    for kind in (SavedModelType.Best, SavedModelType.Last, 3, 6):
        assert state_of(recipe, kind).configuration['recipe'] == 'Tiny'
    run = Path('model_states_EDSR_LIIF_Tiny_Patch_8_Scale_1_2')
    assert 'Epoch 6/6' in (run / 'log.txt').read_text()
    assert json.loads((run / 'configuration.json').read_text())['epochs'] == 6
    assert len(list(run.glob('events.out.tfevents*'))) == 1
    assert len(list((run / 'samples').glob('epoch_*_x2.png'))) == 6
    assert list(Path().glob('**/.tmp-*')) == []


@pytest.mark.usefixtures('pictures')
def test_the_learning_rate_follows_the_milestones(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    train(epochs=4, schedule=MultiStep((1, 3), gamma=0.1), learning_rate=0.01)
    rates = [line.split('rate ')[1].split()[0] for line in caplog.messages if line.startswith('Epoch')]
    assert rates == ['0.01', '0.001', '0.001', '0.0001']


def test_a_batch_larger_than_the_epoch_is_told(make_pictures: PictureMaker, caplog: pytest.LogCaptureFixture) -> None:
    make_pictures()
    train(epochs=1, batch_size=12)
    assert 'is more than an epoch has samples' not in caplog.text
    train(epochs=1, batch_size=13, save_path='other')
    assert 'batch_size = 13 is more than an epoch has samples, so each update learns from 12. Lower' in caplog.text


def test_one_seed_gives_one_result_and_another_seed_another(reference: str, tmp_path: Path) -> None:
    """FAULTS case 47."""
    assert train() == reference
    assert train(seed=1, save_path=str(tmp_path / 'other')) != reference


@pytest.mark.parametrize('workers', [1, 2])
def test_workers_change_nothing(reference: str, workers: int) -> None:
    assert train(workers=workers) == reference


def test_a_finished_run_says_so_and_stays_as_it_is(reference: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    train()
    before = {file: file.stat().st_mtime_ns for file in Path().glob('*.pth')}
    caplog.clear()
    assert train() == reference
    assert any('This run is finished: 4 epochs, best' in line for line in caplog.messages)
    assert {file: file.stat().st_mtime_ns for file in Path().glob('*.pth')} == before


def test_a_longer_run_goes_on_from_the_finished_one(pictures: None, tmp_path: Path) -> None:
    train(epochs=2)
    assert train(epochs=4) == train(epochs=4, save_path=str(tmp_path / 'at-once'))


# Stopping and being killed

LONG = {'epochs': 150, 'schedule': MultiStep((50,)), 'validate_every': 3}


@pytest.mark.usefixtures('pictures')
@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_stopped_at_random_ends_as_if_never_stopped(number: signal.Signals, tmp_path: Path) -> None:
    """FAULTS cases 1 and 5: also while Python starts, the data is read, or a file is written."""
    began = time.monotonic()
    expected = train(save_path=str(tmp_path / 'undisturbed'), **LONG)
    stop = after_a_moment(number, python_random.Random(number.value), (time.monotonic() - began) / 2)
    codes = stop_and_continue(tmp_path, stop, **LONG)
    assert len(codes) > 1, 'nothing was stopped'
    assert codes[-1] == 0
    # Killed: minus the signal. Asked: 128 + the signal, after saving; -2 and -15 while Python itself was starting.
    assert set(codes[:-1]) <= {-number, 128 + number}
    if number != signal.SIGKILL:
        assert 128 + number in codes
    assert fingerprint(state_of(TrainTiny(), folder=tmp_path)) == expected
    assert list(tmp_path.glob('.tmp-*')) == []


@pytest.mark.usefixtures('pictures')
@pytest.mark.parametrize('workers', [0, 2])
def test_ctrl_c_saves_the_step_under_way(workers: int, tmp_path: Path) -> None:
    """In the middle of an epoch, whose validations are an epoch away."""
    log = tmp_path / 'output.txt'

    def after_the_first_epoch(process: Any) -> None:
        while 'Epoch 1/' not in (log.read_text() if log.exists() else ''):
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGINT)

    process = start(tmp_path, epochs=1000, schedule=Constant(), validate_every=1000, repeat=200, workers=workers)
    after_the_first_epoch(process)
    process.join(PATIENCE)
    assert process.exitcode == 130
    assert 'Stopped by SIGINT after batch' in log.read_text()
    assert 'Run the same command to go on' in log.read_text()
    progress = state_of(TrainTiny(), folder=tmp_path).progress
    assert 0 < progress['batch'] < 150
    assert progress['samples_seen'] == progress['epoch'] * 600 + progress['batch'] * 4


@pytest.mark.usefixtures('pictures')
def test_two_runs_in_one_folder(tmp_path: Path) -> None:
    """FAULTS case 41: the second is refused at once, and names the first."""
    first = start(tmp_path, epochs=1000, schedule=Constant())
    while not list(tmp_path.glob('*_last.pth')):
        time.sleep(0.01)
    second = start(tmp_path, epochs=1000, schedule=Constant())
    second.join(PATIENCE)
    first.kill()
    first.join(PATIENCE)
    assert second.exitcode == 2
    assert f'is in use by process {first.pid} on' in (tmp_path / 'output.txt').read_text()


# Resuming from files


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def test_a_damaged_last_falls_back_to_the_previous(reference: str, caplog: pytest.LogCaptureFixture) -> None:
    """FAULTS case 10."""
    train(epochs=3)
    damage(checkpoint_path(TrainTiny(), SavedModelType.Last, '.'))
    assert train() == reference
    assert 'is not a readable checkpoint' in caplog.text


@pytest.mark.usefixtures('pictures')
def test_an_explicit_resume_never_falls_back(tmp_path: Path) -> None:
    """FAULTS cases 10, 12 and 13."""
    train(epochs=3)
    last = checkpoint_path(TrainTiny(), SavedModelType.Last, '.')
    damage(last)
    with pytest.raises(ValueError, match='is not a readable checkpoint'):
        train(resume=str(last))
    damage(previous_of(last))
    with pytest.raises(ValueError, match='No checkpoint of this run can be read'):
        train()
    with pytest.raises(ValueError, match=r'There is no checkpoint missing\.pth. In . there are: model_states_'):
        train(resume='missing.pth')
    assert last.exists()
    assert previous_of(last).exists()


def test_an_epochs_checkpoint_can_be_continued(reference: str) -> None:
    train(epochs=2, save_every=2, save_path='elsewhere')
    kept = checkpoint_path(TrainTiny(), 2, 'elsewhere')
    assert train(resume=str(kept)) == reference


@pytest.mark.usefixtures('pictures')
def test_results_that_are_there_are_not_started_over() -> None:
    """FAULTS case 42."""
    train()
    before = checkpoint_path(TrainTiny(), SavedModelType.Last, '.').read_bytes()
    with pytest.raises(ValueError, match='exists, and resume is False'):
        train(resume=False)
    assert checkpoint_path(TrainTiny(), SavedModelType.Last, '.').read_bytes() == before


@pytest.mark.usefixtures('pictures')
@pytest.mark.parametrize(
    ('changed', 'row'),
    [
        ({'encoder_options': {'n_resblocks': 1, 'n_feats': 6}}, "encoder_options: {'n_resblocks': 1, 'n_feats': 8} in"),
        ({'batch_size': 3}, 'batch_size: 4 in the file, 3 in the recipe'),
        ({'learning_rate': 0.5}, 'learning_rate: 0.01 in the file, 0.5 in the recipe'),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(changed: dict[str, Any], row: str) -> None:
    """FAULTS case 14: a table of what differs."""
    train(epochs=1)
    with pytest.raises(ValueError, match=row):
        train(**changed)


@pytest.mark.usefixtures('pictures')
def test_a_checkpoint_of_another_network_is_refused() -> None:
    """FAULTS case 14, by an explicit path."""
    train(epochs=1)
    last = checkpoint_path(TrainTiny(), SavedModelType.Last, '.')
    with pytest.raises(ValueError, match=r'input_patch: 8 in the file, 6 in the recipe') as error:
        train(resume=str(last), input_patch=6)
    assert str(last) in str(error.value)


@pytest.mark.usefixtures('pictures')
def test_changed_training_pictures_are_refused(make_pictures: PictureMaker) -> None:
    train(epochs=1)
    make_pictures(count=4)
    with pytest.raises(ValueError, match=r'The data have changed .*\n  training pictures: picture_3\.png is new\n'):
        train(epochs=2)


@pytest.mark.usefixtures('pictures')
def test_a_run_can_begin_with_the_weights_of_another(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    train(epochs=4)
    best = str(checkpoint_path(TrainTiny(), SavedModelType.Best, '.'))
    first_loss = [line for line in caplog.messages if line.startswith('Epoch 1/')][0]
    train(epochs=1, recipe='Tuned', start_from=best, learning_rate=1e-4)
    tuned_loss = [line for line in caplog.messages if line.startswith('Epoch 1/')][1]
    losses = [float(line.split('loss ')[1].split(',')[0]) for line in (first_loss, tuned_loss)]
    assert losses[1] < 0.8 * losses[0]
    with pytest.raises(ValueError, match=r"start_from: .*_best\.pth is of another network than the recipe: .*'EDSR'"):
        train(recipe='Other', start_from=best, decoder_options={'hidden': (8,)})


# Bad data and bad places


def test_bad_pictures_stop_the_run_before_it_starts(make_pictures: PictureMaker) -> None:
    """FAULTS case 23; skipped, their number is part of the checkpoint."""
    files = make_pictures(count=4)
    files[3].write_bytes(b'')
    with pytest.raises(ValueError, match=r'1 of 4 pictures can not be used:\n  .*picture_3\.png'):
        train()
    assert list(Path().glob('*.pth')) == []
    train(epochs=1, on_bad_image='skip', valid_data=str(make_pictures('valid', count=1)[0].parent))
    progress = state_of(TrainTiny(on_bad_image='skip')).progress
    assert [name for name, _ in progress['data']['training pictures']] == [f'picture_{n}.png' for n in range(3)]


def test_a_picture_that_turns_bad_leaves_a_usable_checkpoint(
    make_pictures: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAULTS case 24: exit 1 with path, epoch and sample; `last` is whole."""
    files = make_pictures(count=2)
    valid = str(make_pictures('valid', count=1)[0].parent)
    settings = {'cache': 'none', 'valid_data': valid}
    train(epochs=1, **settings)
    content = files[1].read_bytes()
    from Datasets.ImageFolder import ImageFolder

    checked = ImageFolder.__init__

    def then_damage(self: ImageFolder, *arguments: Any, **named: Any) -> None:
        checked(self, *arguments, **named)
        files[1].write_bytes(b'replaced on the disk')

    monkeypatch.setattr(ImageFolder, '__init__', then_damage)
    with pytest.raises(
        RunFailedError, match=rf'of epoch 2, from pictures/{files[1].name}, failed in the main'
    ) as error:
        train(epochs=2, **settings)
    assert 'last.pth is whole' in str(error.value)
    monkeypatch.undo()
    os.chdir(files[0].parents[1])
    files[1].write_bytes(content)
    assert train(epochs=2, **settings) == train(epochs=2, save_path='again', **settings)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'train_data': 'nowhere'}, 'nowhere should hold the training pictures'),
        ({'valid_data': 'nowhere'}, 'nowhere should hold the validation pictures'),
        ({'input_patch': 40}, r'smaller than the 80x80 that input_patch = 40 at scale_range = \(1, 2\) needs'),
        ({'save_path': 'pictures/picture_0.png'}, 'Change save_path'),
        ({'encoder_options': {'n_feat': 8}}, "Did you mean 'n_feats'"),
        ({'device': 'cuda:99'}, "device must be 'auto', 'cpu' or a device of this machine"),
        ({'max_image_pixels': 100}, r'more than max_image_pixels = 100'),
        (
            {'decoder': DecoderType.Native, 'decoder_options': {'scale': 2}},
            r'scale_range = \(1, 2\): Native upscales by',
        ),
    ],
)
@pytest.mark.usefixtures('pictures')
def test_what_can_not_work_is_refused_before_the_first_step(settings: dict[str, Any], message: str) -> None:
    """FAULTS cases 9, 26, 27 and 40."""
    with pytest.raises((ValueError, OSError), match=message):
        train(**settings)
    assert list(Path().glob('*.pth')) == []


@pytest.mark.usefixtures('pictures')
def test_a_loss_that_is_not_finite_stops_before_the_weights_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """FAULTS case 21: `last` is finite and older."""
    train(epochs=1)
    before = fingerprint(state_of(TrainTiny()))
    from Losses.PixelL1 import PixelL1

    monkeypatch.setattr(PixelL1, 'forward', lambda *_: torch.tensor(float('nan'), requires_grad=True))
    with pytest.raises(RunFailedError, match=r'Epoch 2, batch 1 \(step 4\): loss is nan'):
        train()
    assert fingerprint(state_of(TrainTiny())) == before


@pytest.mark.usefixtures('pictures')
def test_a_disk_that_is_full_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """FAULTS case 8: exit 1, naming the file; the previous checkpoint is whole."""
    train(epochs=1)
    before = fingerprint(state_of(TrainTiny()))

    def fail(*_: Any) -> None:
        raise RuntimeError('[enforce fail at inline_container.cc:671] . unexpected pos 768 vs 662')

    monkeypatch.setattr('Utilities.Checkpoint.torch.save', fail)
    with pytest.raises(RunFailedError, match=r'\.pth could not be written.*Is the disk full'):
        train()
    assert fingerprint(state_of(TrainTiny())) == before


def test_progress_knows_the_best_and_ignores_what_is_no_number() -> None:
    """FAULTS case 17."""
    progress = Progress()
    history = []
    for psnr in (float('nan'), None, 20.0, float('nan'), 19.0, 20.0, 21.0):
        history.append(progress.note([psnr], 1, [Metric('PSNR')]))
    assert history == [False, False, True, False, False, False, True]
    assert dataclasses.replace(Progress.from_state_dict(progress.state_dict()), averages={}).best == [21.0]
