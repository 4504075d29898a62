"""What a run tells about itself: every epoch once, over all its restarts, in the table, the log and the trackers."""

import csv
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from Configuration import LossTerm
from Models import LossType, QualityType, SamplingType, SavedModelType, TrackerType
from Orchestrators.Prediction.file_names import checkpoint_path
from Orchestrators.Training import Run as run_module
from Orchestrators.Training import TrainingRecord as record_module
from Orchestrators.Training.Trackers.Tracker import Tracker
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PictureMaker
from tests.tiny import TrainTiny
from Utilities.Checkpoint import Checkpoint, content_hash
from Utilities.command_line import RunFailedError

RUN = 'model_states_EDSR_LIIF_Tiny_Patch_8_Scale_1_2'
SAMPLES = 12
"""Per epoch: three pictures, each cropped four times."""

TIMES = {'train/samples_per_second', 'train/loader_share'}
TERMS: dict[str, Any] = {
    'losses': (LossTerm(LossType.PixelL1), LossTerm(LossType.GradientL1, 0.5)),
    'sampling': SamplingType.Window,
}


@pytest.fixture(autouse=True)
def _pictures(make_pictures: PictureMaker) -> None:
    make_pictures()


def train(**settings: Any) -> str:
    """Fingerprint of everything that training produced."""
    recipe = TrainTiny(**settings)
    TrainingOrchestrator(recipe).train()
    last = Checkpoint.load(checkpoint_path(recipe, SavedModelType.Last, recipe.save_path))
    return content_hash([last.network, last.learners, last.progress, last.rng])


def table(folder: str = '.') -> list[dict[str, str]]:
    """The rows of `metrics.csv`, without what a clock measured."""
    with (Path(folder) / RUN / 'metrics.csv').open(newline='') as file:
        return [{name: text for name, text in row.items() if name not in TIMES} for row in csv.DictReader(file)]


class Recorded(Tracker):
    """Remembers what it is told, over all starts of a run."""

    told: list[tuple[str, Any]]

    def __init__(self, folder: Path, samples_seen: int) -> None:
        self.told.append(('begins', (folder.name, samples_seen)))

    def add_settings(self, settings: Any) -> None:
        self.told.append(('settings', settings))

    def add_scalars(self, scalars: Any, samples_seen: int) -> None:
        self.told.append(('scalars', (dict(scalars), samples_seen)))

    def add_picture(self, name: str, picture: Any, samples_seen: int) -> None:
        self.told.append(('picture', (name, picture.shape, samples_seen)))

    def close(self) -> None:
        self.told.append(('close', None))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Any]]:
    Recorded.told = []

    def find(*_: object) -> type[Tracker]:
        return Recorded

    monkeypatch.setattr(run_module, 'find_class', find)
    return lambda kind: [what for word, what in Recorded.told if word == kind]


def test_every_epoch_is_told_to_the_trackers_the_table_and_the_log(
    told: Callable[[str], list[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    train(epochs=3, validate_every=2, sample_pictures=1, trackers=(TrackerType.WandB,), valid_scales=(2, 3), **TERMS)
    assert told('begins') == [(RUN, 0)]
    (settings,) = told('settings')
    assert settings['epochs'] == 3
    assert 'code_version' in settings
    scalars, samples_seen = zip(*told('scalars'), strict=True)
    assert samples_seen == (SAMPLES, 2 * SAMPLES, 3 * SAMPLES)
    of_training = {'loss', 'PixelL1', 'GradientL1', 'psnr', 'learning_rate', 'samples_per_second', 'loader_share'}
    of_training = {f'train/{name}' for name in of_training}
    of_validation = {f'validation/{metric}_x{scale}' for metric in ('PSNR', 'SSIM') for scale in (2, 3)}
    assert [set(names) for names in scalars] == [of_training, of_training | of_validation, of_training | of_validation]
    for numbers in scalars:
        total = numbers['train/PixelL1'] + 0.5 * numbers['train/GradientL1']
        assert numbers['train/loss'] == pytest.approx(total, rel=1e-5)
        assert 0 < numbers['train/loader_share'] < 1
        assert numbers['train/samples_per_second'] > 0
    assert {samples_seen for _, _, samples_seen in told('picture')} == {2 * SAMPLES, 3 * SAMPLES}
    assert len(told('close')) == 1
    rows = table()
    assert [(row['epoch'], row['samples_seen']) for row in rows] == [('1', '12'), ('2', '24'), ('3', '36')]
    for row, numbers in zip(rows, scalars, strict=True):
        assert {name: float(text) for name, text in row.items() if '/' in name and text} == {
            name: value for name, value in numbers.items() if name not in TIMES
        }
    lines = [line for line in caplog.messages if line.startswith('Epoch')]
    for line, numbers in zip(lines, scalars, strict=True):
        assert f'data {100 * numbers["train/loader_share"]:.0f} %' in line
        assert f'GradientL1 {numbers["train/GradientL1"]:.4g}, ' in line
    assert '36 samples seen' in lines[2]


def test_a_finished_run_bothers_no_tracker(told: Callable[[str], list[Any]]) -> None:
    for _ in range(2):
        train(epochs=1, trackers=(TrackerType.WandB,))
    assert len(told('begins')) == 1


def test_a_tracker_without_its_package_stops_the_run_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'wandb', None)
    with pytest.raises(ValueError, match='pip install wandb'):
        train(trackers=(TrackerType.TensorBoard, TrackerType.WandB))
    assert list(Path().glob('*.pth')) == []


def crash_at(monkeypatch: pytest.MonkeyPatch, *, epoch: int) -> None:
    """Die while writing an epoch's checkpoint."""
    save = Checkpoint.save

    def save_or_fail(self: Checkpoint, path: Path) -> None:
        if self.progress['epoch'] == epoch:
            raise OSError('the power is gone')
        save(self, path)

    monkeypatch.setattr(Checkpoint, 'save', save_or_fail)


@pytest.mark.parametrize('epoch', [1, 3])
def test_a_crash_between_table_and_checkpoint_doubles_no_epoch(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = train(save_path='undisturbed')
    with monkeypatch.context() as crashing:
        crash_at(crashing, epoch=epoch)
        with pytest.raises(RunFailedError, match='the power is gone'):
            train()
    assert [row['epoch'] for row in table()] == [str(number) for number in range(1, epoch + 1)]  # Written, not saved.
    assert train() == expected
    assert table() == table('undisturbed')
    assert len(table()) == 4


def test_a_run_that_goes_back_to_an_earlier_checkpoint_forgets_the_epochs_behind_it(
    told: Callable[[str], list[Any]],
) -> None:
    train(save_path='undisturbed', epochs=3)
    train(save_every=1, epochs=4)
    for kind in ('best', 'last', 3, 4):
        checkpoint_path(TrainTiny(), 2, '.').with_name(f'{RUN}_{kind}.pth').unlink(missing_ok=True)
    (Path(RUN) / 'metrics.csv').write_text(''.join((Path(RUN) / 'metrics.csv').read_text().splitlines(True)[:4]))
    train(resume=str(checkpoint_path(TrainTiny(), 2, '.')), epochs=3, trackers=(TrackerType.Aim,))
    assert table() == table('undisturbed')
    assert told('begins') == [(RUN, 2 * SAMPLES)]


def test_a_table_of_another_kind_stops_the_run_before_it_starts() -> None:
    Path(RUN).mkdir()
    (Path(RUN) / 'metrics.csv').write_text('name;score\n')
    with pytest.raises(ValueError, match=r'metrics\.csv is not the table that this run writes'):
        train()
    assert list(Path().glob('*.pth')) == []


# Curves


def test_curves_are_drawn_at_each_validation_over_all_starts_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('matplotlib')
    drawn = []
    draw = record_module.draw_curves

    def draw_and_note(rows: Any, panels: Any, *others: Any) -> None:
        drawn.append(([row['epoch'] for row in rows], panels))
        draw(rows, panels, *others)

    monkeypatch.setattr(record_module, 'draw_curves', draw_and_note)
    for epochs in (2, 3):
        train(curves=True, epochs=epochs, validate_every=2, **TERMS)
    assert [epochs for epochs, _ in drawn] == [[1, 2], [1, 2, 3]]
    losses, validation, rate = drawn[-1][1]
    assert [(curve.column, curve.label) for curve in losses.curves] == [
        ('train/loss', 'loss'), ('train/PixelL1', 'PixelL1'), ('train/GradientL1', '0.5 x GradientL1'),
    ]  # fmt: skip
    assert [curve.column for curve in validation.curves] == ['validation/PSNR_x2']
    assert [curve.column for curve in rate.curves] == ['train/learning_rate']
    with Image.open(Path(RUN) / 'curves.png') as picture:
        assert picture.size[0] > 500


@pytest.mark.parametrize(
    'error', [ImportError('No module named matplotlib'), RuntimeError('no fonts'), OSError('full')]
)
def test_curves_that_can_not_be_drawn_are_warned_about_once_and_change_nothing(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = train(save_path='undisturbed')

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(record_module, 'draw_curves', fail)
    assert train(curves=True) == expected
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    (warning,) = [text for text in warnings if text.startswith('curves.png')]
    assert 'can not be drawn and is left out from here on' in warning
    assert ('pip install matplotlib' in warning) == isinstance(error, ImportError)


# Checkpoints from before these settings


def test_a_checkpoint_from_before_these_settings_is_continued() -> None:
    """FAULTS case 15: as the first version wrote it, with `tensorboard` and without all that came since."""
    expected = train(save_path='undisturbed')
    train(epochs=2)
    path = checkpoint_path(TrainTiny(), SavedModelType.Last, '.')
    checkpoint = Checkpoint.load(path)
    for name in ('trackers', 'curves', 'best_by', 'best_after_epoch', 'stop_after'):
        del checkpoint.configuration[name]
    checkpoint.configuration['tensorboard'] = True
    # Then, a recipe that named no losses had this one.
    checkpoint.configuration['losses'] = [{'loss': 'PixelL1', 'weight': 1.0}]
    del checkpoint.progress['validations_without_better']
    checkpoint.save(path)
    assert train() == expected
    checkpoint.save(path)
    with pytest.raises(ValueError, match="best_by: 'PSNR' in the file, 'SSIM' in the recipe"):
        train(best_by=QualityType.SSIM)
