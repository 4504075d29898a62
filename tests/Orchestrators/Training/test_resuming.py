"""Which checkpoint a run goes on from, what it says of it, and that data follow (FAULTS cases 15, 18 to 20 and 43)."""

import dataclasses
import logging
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from Configuration import Constant, Cosine
from Models import BenchmarkType, SavedModelType
from Orchestrators.Prediction.file_names import checkpoint_path
from Orchestrators.Steps.TrainingStep import TrainingStep
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PictureMaker
from tests.killed_runs import fingerprint, state_of
from tests.tiny import TrainTiny
from Utilities.Checkpoint import Checkpoint, CheckpointError, content_hash, previous_of

LAST = checkpoint_path(TrainTiny(), SavedModelType.Last, '.')
STORED = Path(__file__).parents[2] / 'references' / 'checkpoint_format_1.pth'
# What STORED was made with: two epochs, by version 0.1.0+2adcbf0.
STORED_NETWORK: dict[str, Any] = {
    'encoder_options': {'n_resblocks': 1, 'n_feats': 4},
    'decoder_options': {'hidden': (8,)},
    'channels_last': False,
}


@pytest.fixture(autouse=True)
def _pictures(make_pictures: PictureMaker) -> None:
    make_pictures()


def train(**settings: Any) -> str:
    recipe = TrainTiny(**settings)
    TrainingOrchestrator(recipe).train()
    return fingerprint(state_of(recipe))


def test_a_checkpoint_of_the_first_format_is_continued(caplog: pytest.LogCaptureFixture) -> None:
    """FAULTS case 15: a stored file, written before there was a second format."""
    shutil.copy(STORED, LAST)
    caplog.set_level(logging.INFO)
    train(**STORED_NETWORK)
    assert 'Continuing after epoch 2, batch 0.' in caplog.text
    assert [line.split(':')[0] for line in caplog.messages if line.startswith('Epoch')] == ['Epoch 3/4', 'Epoch 4/4']
    progress = state_of(TrainTiny()).progress
    assert (progress['epoch'], progress['samples_seen']) == (4, 48)


def test_a_checkpoint_of_the_second_format_goes_on_as_a_run_that_was_never_stopped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """FAULTS case 15: stopped in epoch 3 by version 0.1.0+3460dae, whose schedules were flat settings.

    On the machine that wrote it all bits were equal, also to those of a run that the version then did not stop.
    """
    settings = STORED_NETWORK | {
        'channels_last': True,
        'schedule': Cosine(minimum_rate=1e-5, warmup=1, warmup_start=0.2),
        'clip_gradient': 1.0,
        'ema_decay': 0.9,
        'accumulate': 2,
    }
    train(save_path='undisturbed', **settings)
    shutil.copy(STORED.with_name('checkpoint_format_2.pth'), LAST)
    with pytest.raises(CheckpointError, match=r"schedule: .*minimum_rate': 1e-05.* in the file, .*minimum_rate': 0.0"):
        train(**settings | {'schedule': Cosine(warmup=1, warmup_start=0.2)})
    caplog.set_level(logging.INFO)
    train(**settings)
    assert 'Continuing after epoch 2, batch 1.' in caplog.text
    whole, continued = state_of(TrainTiny(save_path='undisturbed')), state_of(TrainTiny())
    for name, weight in whole.network.items():
        torch.testing.assert_close(continued.network[name], weight, rtol=1e-3, atol=1e-4)
    rates, expected = (
        state.learners['super_resolver']['optimizer']['param_groups'][0]['lr'] for state in (continued, whole)
    )
    assert rates == expected
    assert continued.progress['best'] == pytest.approx(whole.progress['best'], abs=1e-3)


def test_a_setting_that_a_file_does_not_name_counts_as_its_default_then() -> None:
    """FAULTS case 15: not as today's."""
    shutil.copy(STORED, LAST)
    stored = Checkpoint.load(LAST)
    del stored.configuration['channels_last']
    stored.save(LAST)
    with pytest.raises(CheckpointError, match='channels_last: False in the file, True in the recipe'):
        train(**STORED_NETWORK | {'channels_last': True})
    train(**STORED_NETWORK)


def test_a_checkpoint_of_the_first_format_is_what_the_run_would_be_today() -> None:
    """FAULTS case 15: weights and losses, but for the bits that another machine rounds otherwise."""
    train(epochs=2, **STORED_NETWORK)
    then, now = Checkpoint.load(STORED), state_of(TrainTiny())
    for name, weight in then.network.items():
        torch.testing.assert_close(now.network[name], weight, rtol=1e-3, atol=1e-4)
    assert now.progress['best'] == pytest.approx(then.progress['best'], abs=1e-3)


def test_a_checkpoint_of_a_later_format_is_one_clear_line() -> None:
    """FAULTS case 15."""
    torch.save({'format': 4, 'sha256': '', 'unheard-of': 1}, LAST)
    with pytest.raises(CheckpointError, match=r'last\.pth has format 4, and this version reads 1, 2 and 3') as error:
        train(resume=str(LAST))
    assert '\n' not in str(error.value)


# What is there already (fault 2)


def content_of(folder: str = '.') -> dict[str, bytes]:
    """Every file of the runs in a folder, but the log and the lock, which each start writes to."""
    files = [file for file in Path(folder).rglob('*') if file.is_file() and file.suffix not in {'.png', '.pixels'}]
    return {str(file): file.read_bytes() for file in files if file.name not in {'log.txt', '.lock'}}


def start_of(kind: int | str) -> str:
    return str(LAST.with_name(LAST.name.replace('last', str(kind))))


OVERWRITING: dict[str, tuple[dict[str, Any], list[str]]] = {
    'an earlier epoch, by its path': ({'resume': start_of(1)}, []),
    'an earlier epoch, by its number': ({'resume': 1}, []),
    'an earlier epoch, for fewer epochs than there are': ({'resume': 1, 'epochs': 2}, []),
    'an earlier epoch, and the last is gone': ({'resume': 1}, ['last']),
    'an earlier epoch, and only numbered ones are there': ({'resume': 1}, ['last', 'best']),
    'an earlier epoch, and only the table is there': ({'resume': 1}, ['last', 'best', '2', '3']),
    'anew, and the last is gone': ({}, ['last']),
    'anew, and all but the table is gone': ({}, ['last', 'best', '1', '2', '3']),
    'anew, and resume is False': ({'resume': False}, ['last']),
    'anew, with another seed': ({'seed': 1}, ['last']),
    'anew, from weights': ({'start_from': 'weights.pth'}, ['last']),
    'with another seed': ({'seed': 1}, []),
    'from weights': ({'start_from': 'weights.pth'}, []),
    'another run': ({'resume': 'other/' + LAST.name}, []),
}


@pytest.mark.parametrize('case', OVERWRITING)
def test_nothing_that_reaches_further_is_overwritten(case: str) -> None:
    """By an explicit start, by a missing one, by a change of what the run is."""
    settings, missing = OVERWRITING[case]
    train(epochs=3, save_every=1, batch_size=12)
    train(epochs=1, batch_size=12, save_path='other')
    shutil.copy(start_of('best'), 'weights.pth')
    for kind in missing:
        for path in (Path(start_of(kind)), previous_of(Path(start_of(kind)))):
            path.unlink(missing_ok=True)
    before = content_of()
    with pytest.raises(ValueError, match=r'would overwrite|other settings than this recipe') as refusal:
        train(**{'epochs': 3, 'batch_size': 12} | settings)
    assert content_of() == before
    assert 'branch' in str(refusal.value) or 'a class or a name of its own' in str(refusal.value)


def test_a_branch_goes_on_beside_its_parent_and_records_it() -> None:
    whole = train(epochs=3, save_every=1, save_path='undisturbed')
    train(epochs=3, save_every=1)
    before = content_of()
    recipe = TrainTiny(epochs=3, resume=1, branch='again')
    TrainingOrchestrator(recipe).train()
    assert {name: before[name] for name in before} == {name: content_of()[name] for name in before}
    branch = checkpoint_path(recipe, SavedModelType.Last, '.')
    assert branch.name == LAST.name.replace('Tiny', 'Tiny-again')
    progress = Checkpoint.load(branch).progress
    parent = progress.pop('parent')
    assert (parent['file'], parent['epoch'], parent['samples_seen'], parent['differs']) == (start_of(1), 1, 12, [])
    assert parent['weights'] == content_hash(Checkpoint.load(Path(start_of(1))).network)
    assert whole == fingerprint(state_of(TrainTiny(save_path='undisturbed')))
    assert content_hash(Checkpoint.load(branch).network) == content_hash(Checkpoint.load(LAST).network)
    # The same call goes on with the branch, not again from the parent.
    TrainingOrchestrator(TrainTiny(epochs=4, resume=1, branch='again')).train()
    assert Checkpoint.load(branch).progress['epoch'] == 4


def test_a_branch_may_learn_from_other_data_and_says_so(make_pictures: PictureMaker) -> None:
    make_pictures('others', count=2)
    train(epochs=2)
    recipe = TrainTiny(epochs=3, branch='wider', train_data='others', batch_size=3, seed=5)
    TrainingOrchestrator(recipe).train()
    progress = state_of(recipe).progress
    assert [row.split(':')[0] for row in progress['parent']['differs']] == ['batch_size', 'seed']
    assert [name for name, _ in progress['data']['training pictures']] == ['picture_0.png', 'picture_1.png']
    assert progress['best_epoch'] == 3


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'learning_rate': 0.5}, 'learning_rate: 0.01 in the file, 0.5 in the recipe'),
        ({'encoder_options': {'n_resblocks': 2, 'n_feats': 8}}, 'encoder_options: '),
        ({'resume': 7}, r"branch = 'b': there is no .*_7\.pth to go out from"),
        ({'branch': 'a_b'}, 'recipe must be 1 to 40 letters, digits or hyphens'),
        ({'resume': 0}, 'resume must be'),
    ],
)
def test_an_impossible_branch_is_refused(settings: dict[str, Any], message: str) -> None:
    train(epochs=1)
    before = content_of()
    with pytest.raises(ValueError, match=message):
        train(**{'epochs': 2, 'branch': 'b'} | settings)
    assert {name: content for name, content in content_of().items() if name in before} == before


def test_a_branch_that_changes_settings_begins_at_the_end_of_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    run = TrainingStep.learn_from

    def stop(step: TrainingStep, *batch: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return run(step, *batch)

    monkeypatch.setattr(TrainingStep, 'learn_from', stop)
    with pytest.raises(SystemExit):
        train()
    monkeypatch.setattr(TrainingStep, 'learn_from', run)
    with pytest.raises(ValueError, match=r'is in the middle of epoch 1, where no setting may change.*\n  seed: 0'):
        train(branch='b', seed=1)
    train(branch='b')


# What is learned from


def change(kind: str, folder: Path) -> None:
    """Change one picture of a folder."""
    picture = folder / 'picture_1.png'
    match kind:
        case 'content':
            picture.write_bytes((folder / 'picture_2.png').read_bytes())
        case 'size':
            shutil.copy('large/picture_1.png', picture)
        case 'name':
            picture.rename(folder / 'picture_1b.png')
        case 'one pixel':
            with Image.open(picture) as opened:
                pixels = np.array(opened)
            pixels[0, 0, 0] ^= 1
            Image.fromarray(pixels).save(picture)


CHANGES = {
    'content': r'picture_1\.png shows something else \(48x40 then, 48x40 now\)',
    'size': r'picture_1\.png shows something else \(48x40 then, 60x60 now\)',
    'name': r'picture_1\.png is missing\n.*picture_1b\.png is new',
    'one pixel': r'picture_1\.png shows something else',
}


@pytest.mark.parametrize('cache', ['memory', 'disk', 'none'])
@pytest.mark.parametrize('what', ['training', 'validation'])
@pytest.mark.parametrize('kind', CHANGES)
def test_other_pictures_of_the_same_number_are_refused_by_name(
    kind: str, what: str, cache: str, make_pictures: PictureMaker
) -> None:
    """Fault 4."""
    for folder in ('training', 'validation'):
        make_pictures(folder)
    make_pictures('large', height=60, width=60)
    settings: dict[str, Any] = {
        'train_data': 'training', 'valid_data': 'validation', 'valid_examples': 2, 'cache': cache, 'cache_folder': 'c',
    }  # fmt: skip
    train(epochs=1, **settings)
    change(kind, Path(what))
    before = content_of()
    with pytest.raises(ValueError, match=rf'The data have changed .*\n  {what} pictures: {CHANGES[kind]}'):
        train(epochs=2, **settings)
    after = content_of()
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize('moved', ['pictures/', './pictures', 'elsewhere/copy', 'absolute', 're-encoded'])
def test_the_same_pictures_under_another_path_go_on(moved: str, make_pictures: PictureMaker) -> None:
    """Fault 4."""
    whole = train(epochs=2, save_path='undisturbed')
    train(epochs=1)
    place = moved
    if moved == 'absolute':
        place = str(Path('pictures').absolute())
    elif moved == 'elsewhere/copy':
        shutil.move('pictures', Path(moved))
    elif moved == 're-encoded':
        place = 'pictures'
        for file in Path('pictures').iterdir():
            with Image.open(file) as picture:
                picture.load()
            picture.save(file, compress_level=0)
    assert train(epochs=2, train_data=place, valid_data=place) == whole


def test_lr_files_are_data_as_well(make_pictures: PictureMaker) -> None:
    """Fault 4."""
    make_pictures('HR', height=48, width=48)
    make_pictures('LR/X2', height=24, width=24)
    settings: dict[str, Any] = {'train_data': 'HR', 'train_lr_data': 'LR/X{scale}', 'valid_data': 'pictures'}
    train(epochs=1, **settings)
    shutil.copytree('LR', 'moved')
    train(epochs=2, **settings | {'train_lr_data': 'moved/X{scale}/'})
    shutil.copy('moved/X2/picture_0.png', 'moved/X2/picture_1.png')
    with pytest.raises(ValueError, match=r'LR training pictures at x2: picture_1\.png shows something else'):
        train(epochs=3, **settings | {'train_lr_data': 'moved/X{scale}/'})


def test_a_set_is_not_a_folder_that_happens_to_hold_the_same() -> None:
    """Its scores are of another color."""
    train(epochs=1, valid_data='pictures')
    with pytest.raises(ValueError, match='valid_data: .* in the file, .*Photographs.* in the recipe'):
        train(epochs=2, valid_data=BenchmarkType.Photographs)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hashes of all batches that are learned from: pictures, crops, scales and turns."""
    seen = []
    run = TrainingStep.learn_from

    def record(step: TrainingStep, batch: Any, *others: Any) -> Any:
        seen.append(content_hash([batch.lr, batch.coord, batch.cell, batch.hr]))
        return run(step, batch, *others)

    monkeypatch.setattr(TrainingStep, 'learn_from', record)
    return seen


def test_batches_follow_over_stops_and_workers(batches: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """FAULTS case 18: the same samples in the same order, other ones in each epoch."""
    train(save_path='undisturbed')
    expected = list(batches)
    assert len(set(expected)) == 12
    for workers in (1, 2):
        batches.clear()
        train(save_path=f'workers_{workers}', workers=workers)
        assert batches == expected
    batches.clear()
    recorded = TrainingStep.learn_from

    def stop_after_each_fourth(step: TrainingStep, *batch: Any) -> Any:
        if len(batches) % 4 == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return recorded(step, *batch)

    monkeypatch.setattr(TrainingStep, 'learn_from', stop_after_each_fourth)
    for workers in (2, 0, 1):
        with pytest.raises(SystemExit):
            train(workers=workers)
    assert batches == expected


# Another machine


def test_another_number_of_threads_is_told_and_changes_next_to_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """FAULTS case 19."""
    train(save_path='undisturbed')
    expected = state_of(TrainTiny(save_path='undisturbed'))
    train(epochs=2)
    assert torch.get_num_threads() == 1
    torch.set_num_threads(2)
    try:
        caplog.clear()
        train()
    finally:
        torch.set_num_threads(1)
    (warning,) = [text for text in caplog.messages if text.startswith('The checkpoint was written with')]
    assert 'threads 1, now 2: the run goes on, but its last bits differ' in warning
    assert state_of(TrainTiny()).progress['best'] == pytest.approx(expected.progress['best'], rel=1e-4)


@pytest.mark.parametrize(
    ('before', 'told'),
    [
        ({'torch_version': '2.4.0'}, f'torch 2.4.0, now {torch.__version__}'),
        ({'computed_on': {'device': 'NVIDIA H200', 'threads': 1}}, 'device NVIDIA H200, now cpu'),
        ({}, None),
        ({'computed_on': {}}, None),
    ],
)
def test_what_costs_the_last_bits_is_told(
    before: dict[str, Any], told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """FAULTS case 19: a warning with both values; none without a change, or where the file does not say."""
    train(epochs=1)
    dataclasses.replace(Checkpoint.load(LAST), **before).save(LAST)
    caplog.clear()
    train(epochs=2)
    warnings = [text for text in caplog.messages if text.startswith('The checkpoint was written with')]
    assert len(warnings) == (told is not None)
    assert told is None or told in warnings[0]


@pytest.mark.parametrize(
    ('rng', 'message'),
    [
        ({}, 'holds no state of the random generators'),
        ({'cpu': torch.zeros(5, dtype=torch.uint8)}, 'holds a state of the random generators that torch does not take'),
        ({'cpu': torch.zeros(5056)}, 'holds a state of the random generators that torch does not take'),
    ],
)
def test_a_missing_or_broken_random_state_is_an_error(rng: dict[str, torch.Tensor], message: str) -> None:
    """FAULTS case 20: a fresh one would go unnoticed."""
    train(epochs=1)
    dataclasses.replace(Checkpoint.load(LAST), rng=rng).save(LAST)
    before = LAST.read_bytes()
    with pytest.raises(CheckpointError, match=message):
        train()
    assert LAST.read_bytes() == before


# The newest


def test_times_and_names_of_files_do_not_decide(caplog: pytest.LogCaptureFixture) -> None:
    """FAULTS case 43: a clock that jumped back, a copied folder, epochs 9 and 10."""
    train(epochs=10, save_every=1, schedule=Constant())
    for number, file in enumerate([LAST, *(checkpoint_path(TrainTiny(), epoch, '.') for epoch in (10, 9))]):
        os.utime(file, (1e9 + number, 1e9 + number))
    os.utime(previous_of(LAST), (2e9, 2e9))
    caplog.set_level(logging.INFO)
    train(epochs=11, schedule=Constant())
    assert 'Continuing after epoch 10, batch 0.' in caplog.text
