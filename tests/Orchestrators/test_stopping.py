"""A run that is asked to stop saves, says so, and leaves no process behind (FAULTS cases 1 to 4)."""

import os
import random
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import Datasets.loaders
import Utilities.Checkpoint
from Configuration import Constant, MultiStep
from Models import SavedModelType
from Orchestrators.Prediction.file_names import checkpoint_path
from Orchestrators.Steps.TrainingStep import TrainingStep
from Orchestrators.Training.Validation import Validation
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PATIENCE, PictureMaker
from tests.killed_runs import fingerprint, output_of, processes_of, start, state_of, wait_for
from tests.tiny import TrainTiny
from Utilities.Checkpoint import Checkpoint

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
STOPPED = re.compile(r'Stopped by (\w+) after batch (\d+) of epoch (\d+); saved')
# Never validated before its end, so that a stop is never far.
LONG = {'epochs': 60, 'schedule': MultiStep((20,)), 'validate_every': 1000, 'workers': 2}


@pytest.fixture(autouse=True)
def _pictures(make_pictures: PictureMaker) -> None:
    make_pictures()


def hear_signals() -> None:
    """The mistake of the negative control: workers that a signal to the whole group ends."""

    def start_worker(_: int) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    Datasets.loaders._start_worker = start_worker  # type: ignore[assignment]


def has_begun(folder: Path, starts: int) -> bool:
    """Whether the start of this number has read its data."""
    return output_of(folder).count('Training on') >= starts


# The first runs beside other tests.
@pytest.mark.parametrize(('count', 'seconds'), [(6, PATIENCE), pytest.param(18, PATIENCE, marks=pytest.mark.slow)])
def test_stops_by_every_signal_to_one_or_all_processes_lose_nothing(count: int, seconds: float, tmp_path: Path) -> None:
    """FAULTS cases 1 and 2: saved each time, exit 128 + n, no process left, and the end of an undisturbed run."""
    TrainingOrchestrator(TrainTiny(save_path=str(tmp_path / 'undisturbed'), **LONG | {'workers': 0})).train()
    expected = fingerprint(state_of(TrainTiny(), folder=tmp_path / 'undisturbed'))
    randomness = random.Random(count)
    for stop in range(count):
        number, send = SIGNALS[stop % 3], (os.killpg, os.kill)[stop // 3 % 2]
        process = start(tmp_path, **LONG)
        wait_for(lambda stop=stop: has_begun(tmp_path, stop + 1), process=process)
        # Once there is something to save; before, see below.
        wait_for((tmp_path / checkpoint_path(TrainTiny(), SavedModelType.Last, '.')).exists, process=process)
        time.sleep(randomness.uniform(0, 0.2))
        send(process.pid, number)
        process.join(PATIENCE)
        assert process.exitcode == 128 + number, output_of(tmp_path)
        wait_for(lambda group=process.pid: not processes_of(group=group), seconds)
        reports = STOPPED.findall(output_of(tmp_path))
        assert len(reports) == stop + 1
        name, batch, epoch = reports[-1]
        progress = state_of(TrainTiny(), folder=tmp_path).progress
        assert (name, int(batch), int(epoch)) == (number.name, progress['batch'], progress['epoch'] + 1)
    process = start(tmp_path, **LONG)
    process.join(PATIENCE)
    assert process.exitcode == 0
    assert fingerprint(state_of(TrainTiny(), folder=tmp_path)) == expected
    assert list(tmp_path.glob('**/.tmp-*')) == []


def test_workers_that_a_signal_ends_would_be_found(tmp_path: Path) -> None:
    """FAULTS case 2, the negative control: runs fail instead of ending as they were asked to."""
    codes = []
    while len(codes) < 5 and 1 not in codes:
        folder = tmp_path / str(len(codes))
        folder.mkdir()
        (folder / 'pictures').symlink_to(tmp_path / 'pictures')
        process = start(folder, hear_signals, **LONG | {'epochs': 100_000})
        wait_for((folder / checkpoint_path(TrainTiny(), SavedModelType.Last, '.')).exists, process=process)
        # To the whole group, but in the order in which it does harm, whatever else the machine does.
        for worker in processes_of(parent=process.pid):
            os.kill(worker, signal.SIGUSR1)
        wait_for(lambda parent=process.pid: not processes_of(parent=parent))
        os.kill(process.pid, signal.SIGUSR1)
        process.join(PATIENCE)
        codes.append(process.exitcode)
    assert codes[-1] == 1
    forms = r'(DataLoader worker \(pid.*|Connection reset by peer)'
    assert re.search(rf'{forms}\. Often, memory has run out', output_of(folder))


def save_slowly() -> None:
    """The second and later files stop for long in their middle, after telling so."""
    save = Utilities.Checkpoint.torch.save
    calls = iter(range(1000))

    def save_and_wait(content: object, file: Any) -> None:
        if next(calls) > 1:
            file.write(b'half')
            file.flush()
            Path('saving').touch()
            time.sleep(60)
        save(content, file)

    Utilities.Checkpoint.torch.save = save_and_wait  # type: ignore[assignment]


def test_a_second_ctrl_c_stops_at_once_even_while_saving(tmp_path: Path) -> None:
    """FAULTS case 3: `last` is the one before."""
    process = start(tmp_path, save_slowly, epochs=1000, schedule=Constant(), validate_every=1000)
    wait_for((tmp_path / 'saving').exists, process=process)
    before = state_of(TrainTiny(), folder=tmp_path)
    os.kill(process.pid, signal.SIGINT)
    time.sleep(0.3)  # Two at once are one.
    assert process.exitcode is None
    os.kill(process.pid, signal.SIGINT)
    process.join(30)  # Half of what the save takes.
    assert process.exitcode == 130, output_of(tmp_path)
    assert fingerprint(state_of(TrainTiny(), folder=tmp_path)) == fingerprint(before)
    assert list(tmp_path.glob('.tmp-*')) == []
    assert 'Traceback' not in output_of(tmp_path)


def test_a_stop_during_validation_keeps_no_half_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    """FAULTS case 4: the steps are saved, the epoch is scored when the run goes on, once."""
    settings: dict[str, Any] = {'valid_examples': 3, 'epochs': 2}
    TrainingOrchestrator(TrainTiny(save_path='undisturbed', **settings)).train()
    with monkeypatch.context() as patch:
        validate = Validation.validate

        def stop_first(self: Validation, *arguments: Any) -> Any:
            os.kill(os.getpid(), signal.SIGTERM)
            return validate(self, *arguments)

        patch.setattr(Validation, 'validate', stop_first)
        with pytest.raises(SystemExit) as stopped:
            TrainingOrchestrator(TrainTiny(**settings)).train()
    assert stopped.value.code == 143
    progress = state_of(TrainTiny()).progress
    assert (progress['epoch'], progress['batch'], progress['best']) == (0, 3, None)
    assert not checkpoint_path(TrainTiny(), SavedModelType.Best, '.').exists()
    assert len(metrics_of('.')) == 0
    TrainingOrchestrator(TrainTiny(**settings)).train()
    assert fingerprint(state_of(TrainTiny())) == fingerprint(state_of(TrainTiny(), folder=Path('undisturbed')))
    assert len(metrics_of('.')) == 2


def metrics_of(folder: str) -> list[str]:
    """The rows that a run's tables of metrics hold."""
    return [line for file in Path(folder).glob('model_states_*/*.csv') for line in file.read_text().splitlines()[1:]]


def test_a_stop_during_the_first_batch_saves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """FAULTS case 4."""
    run = TrainingStep.learn_from

    def stop_within(step: TrainingStep, *batch: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return run(step, *batch)

    monkeypatch.setattr(TrainingStep, 'learn_from', stop_within)
    with pytest.raises(SystemExit) as stopped:
        TrainingOrchestrator(TrainTiny()).train()
    assert stopped.value.code == 143
    assert state_of(TrainTiny()).progress['batch'] == 1


def test_a_stop_before_the_first_step_says_that_nothing_was_saved(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """FAULTS case 4: after the data was read; between its files, see test_training_pictures.py."""
    start_step = TrainingStep.start

    def stop_within(step: TrainingStep, batches: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        start_step(step, batches)

    monkeypatch.setattr(TrainingStep, 'start', stop_within)
    with pytest.raises(SystemExit) as stopped:
        TrainingOrchestrator(TrainTiny()).train()
    assert stopped.value.code == 143
    assert 'Stopped by SIGTERM before the first step; there is nothing to save.' in caplog.text
    assert list(Path().glob('*.pth')) == []


def test_a_checkpoint_is_saved_at_the_step_that_was_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """FAULTS case 1, at a step that is known: not the one before, not the one after."""
    run, steps = TrainingStep.learn_from, iter(range(1, 100))

    def stop_in_the_fifth(step: TrainingStep, *batch: Any) -> Any:
        if next(steps) == 5:
            os.kill(os.getpid(), signal.SIGUSR1)
        return run(step, *batch)

    monkeypatch.setattr(TrainingStep, 'learn_from', stop_in_the_fifth)
    with pytest.raises(SystemExit) as stopped:
        TrainingOrchestrator(TrainTiny()).train()
    assert stopped.value.code == 128 + signal.SIGUSR1
    last: Checkpoint = state_of(TrainTiny())
    assert (last.progress['epoch'], last.progress['batch'], last.progress['samples_seen']) == (1, 2, 20)
