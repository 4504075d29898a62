"""Which checkpoint a run goes on from, what it says of it, and that data follow (FAULTS cases 15, 18 to 20 and 43)."""

import dataclasses
import logging
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from Configuration import Constant, Cosine
from Models import SavedModelType
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


# What is learned from


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
