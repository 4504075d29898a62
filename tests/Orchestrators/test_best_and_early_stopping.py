"""Which epoch is kept as `best`, and when a run gives up: by scripted validations, over restarts (FAULTS case 17)."""

import hashlib
import logging
import math
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from Configuration import ReduceOnPlateau
from Models import QualityType, SavedModelType
from Orchestrators.Prediction.file_names import checkpoint_path
from Orchestrators.Training.Validated import ValidationStoppedError
from Orchestrators.Training.Validation import Validation, ValidationResult
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PictureMaker
from tests.tiny import TrainTiny
from Utilities.Checkpoint import Checkpoint, content_hash

NAN = float('nan')


@pytest.fixture(autouse=True)
def _pictures(make_pictures: PictureMaker) -> None:
    make_pictures()


def train(**settings: Any) -> Checkpoint:
    recipe = TrainTiny(**settings)
    TrainingOrchestrator(recipe).train()
    return Checkpoint.load(checkpoint_path(recipe, SavedModelType.Last, recipe.save_path))


def fingerprint(checkpoint: Checkpoint) -> str:
    return content_hash([checkpoint.network, checkpoint.learners, checkpoint.progress, checkpoint.rng])


def script(
    monkeypatch: pytest.MonkeyPatch, values: Sequence[float | None], kind: QualityType = QualityType.PSNR
) -> list[int]:
    """Let validations find these values, by epoch; returns the epochs validated."""
    validated: list[int] = []

    def validate(self: Validation, network: Any, epoch: int, samples_seen: int, should_stop: Any) -> ValidationResult:
        validated.append(epoch)
        scores: dict[QualityType, float | None] = dict.fromkeys((QualityType.PSNR, QualityType.SSIM), 0.5)
        return ValidationResult({2.0: scores | {kind: values[epoch - 1]}})

    monkeypatch.setattr(Validation, 'validate', validate)
    return validated


def best_file() -> Path:
    return checkpoint_path(TrainTiny(), SavedModelType.Best, '.')


def sha256_of_best() -> str | None:
    return hashlib.sha256(best_file().read_bytes()).hexdigest() if best_file().exists() else None


@pytest.mark.parametrize(
    ('values', 'best_epochs'),
    [
        ([20.0, 19.0, 21.0, 20.5], [1, 1, 3, 3]),
        ([NAN, 20.0, NAN, 19.0], [None, 2, 2, 2]),
        ([NAN, NAN, NAN, 12.0], [None, None, None, 4]),
        ([20.0, 20.0, 20.0, 20.0], [1, 1, 1, 1]),  # Ties: the first stays.
        ([None, 20.0, None, 21.0], [None, 2, 2, 4]),
        ([20.0, math.inf, 30.0, math.inf], [1, 2, 2, 2]),
    ],
)
def test_best_is_the_first_of_the_best_over_restarts(
    values: list[float | None], best_epochs: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Restarted after every epoch. The file does not change with an epoch that is no better, not by a byte."""
    script(monkeypatch, values)
    before = None
    for epoch, best_epoch in enumerate(best_epochs, start=1):
        progress = train(epochs=epoch).progress
        assert progress['best_epoch'] == (best_epoch or 0)
        assert progress['best'] == ([values[best_epoch - 1]] if best_epoch else None)
        if best_epoch == epoch:
            assert Checkpoint.load(best_file()).progress['epoch'] == epoch
            before = sha256_of_best()
        assert sha256_of_best() == before


def test_best_by_another_metric_follows_that_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    script(monkeypatch, [0.7, 0.9, 0.8], QualityType.SSIM)
    assert train(epochs=3, best_by=QualityType.SSIM).progress['best_epoch'] == 2
    assert any('Finished: 3 epochs, best SSIM 0.9000 in epoch 2.' in line for line in caplog.messages)


def test_a_metric_of_which_less_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """LPIPS; the rate falls for it where it falls for a PSNR that mirrors it."""
    from Models.Quality.LPIPS import LPIPS

    monkeypatch.setattr('Models.Quality.LPIPS.LPIPS.__init__', lambda self: super(LPIPS, self).__init__())
    plateau: dict[str, Any] = {'schedule': ReduceOnPlateau(patience=0), 'epochs': 5}
    distances = [0.5, 0.6, 0.3, 0.4, 0.2]
    script(monkeypatch, distances, QualityType.LPIPS)
    by_distance = train(best_by=QualityType.LPIPS, save_path='distance', **plateau)
    script(monkeypatch, [-distance for distance in distances])
    by_likeness = train(**plateau)
    assert by_distance.progress['best_epoch'] == by_likeness.progress['best_epoch'] == 5
    assert by_distance.progress['best'] == [0.2]
    rates = [
        found.learners['super_resolver']['optimizer']['param_groups'][0]['lr'] for found in (by_distance, by_likeness)
    ]
    assert rates == [1e-2 / 4] * 2


def test_a_metric_that_can_not_be_had_stops_the_run_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    with pytest.raises(ValueError, match=r'best_by = QualityType\.LPIPS can not be had here'):
        train(best_by=QualityType.LPIPS)
    assert list(Path().glob('*.pth')) == []


def test_nothing_is_best_during_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it count for early stopping."""
    script(monkeypatch, [30.0, 29.0, 20.0, 21.0])
    assert train(epochs=2, best_after_epoch=1, stop_after=1).progress['best_epoch'] == 2
    script(monkeypatch, [30.0, 29.0, 20.0, 21.0])
    progress = train(epochs=4, best_after_epoch=2, stop_after=2, save_path='later').progress
    assert (progress['best_epoch'], progress['best'], progress['epoch']) == (4, [21.0], 4)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'best_after_epoch': 4}, 'best_after_epoch must be less than epochs, got 4 and 4'),
        ({'stop_after': 0}, 'stop_after must be a whole number at least 1 or None, got 0'),
        ({'best_by': 'PSNR'}, r"a QualityType .*got 'PSNR'\. Did you mean best_by = QualityType\.PSNR"),
    ],
)
def test_settings_that_can_not_be_meant_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainTiny(**settings)


# Early stopping

VALUES = [20.0, 21.0, 20.0, NAN, 21.0, 20.0, 23.0, 22.0, 22.0, 22.0]
"""Better at 2 and at 7; the three validations after 2, one of them a tie and one no number, are not."""


def test_a_run_gives_up_says_so_and_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    validated = script(monkeypatch, VALUES)
    stopped = train(epochs=10, stop_after=3)
    assert validated == [1, 2, 3, 4, 5]
    assert stopped.progress['epoch'] == 5
    assert (
        'Stopped early, as 3 validations in a row were no better (stop_after = 3): 5 epochs, best PSNR' in caplog.text
    )
    caplog.clear()
    assert fingerprint(train(epochs=10, stop_after=3)) == fingerprint(stopped)
    assert validated == [1, 2, 3, 4, 5]
    (line,) = [line for line in caplog.messages if 'has finished by early stopping' in line]
    assert 'best PSNR 21.000 dB in epoch 2, none better in 3 validations since' in line
    assert 'raise stop_after or set it to None' in line


@pytest.mark.parametrize('stop_after', [4, 5, None])
def test_a_run_that_gave_up_goes_on_as_if_it_had_not(stop_after: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    validated = script(monkeypatch, VALUES)
    patient = train(epochs=10, stop_after=stop_after, save_path='patient')
    last = {4: 6, 5: 10, None: 10}[stop_after]
    assert validated == list(range(1, last + 1))
    train(epochs=10, stop_after=3)
    assert fingerprint(train(epochs=10, stop_after=stop_after)) == fingerprint(patient)
    assert patient.progress['epoch'] == last


def test_the_count_goes_on_over_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restarted after every epoch, and in the middle of a validation, which then does not count."""
    script(monkeypatch, VALUES)
    expected = fingerprint(train(epochs=10, stop_after=3, save_path='at-once'))
    for epochs in range(1, 5):
        script(monkeypatch, VALUES)
        train(epochs=epochs, stop_after=3)
    stop_in_validation(monkeypatch)
    with pytest.raises(SystemExit):
        train(epochs=10, stop_after=3)
    script(monkeypatch, VALUES)
    assert fingerprint(train(epochs=10, stop_after=3)) == expected


def stop_in_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C while a picture is validated."""

    def validate(*_: Any) -> ValidationResult:
        os.kill(os.getpid(), signal.SIGINT)
        raise ValidationStoppedError

    monkeypatch.setattr(Validation, 'validate', validate)


def test_only_validations_count_not_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    validated = script(monkeypatch, [20.0] * 9)
    assert train(epochs=9, validate_every=3, stop_after=1).progress['epoch'] == 6
    assert validated == [3, 6]
