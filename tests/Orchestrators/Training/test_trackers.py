"""What trackers are told arrives, by their own readers; nothing leaves this machine."""

import importlib.util
import logging
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from Models import TrackerType
from Orchestrators.Training.Run import Trackers

RUN = Path('model_states_EDSR_LIIF_Tiny_Patch_8_Scale_1_2')
PICTURE = np.full((4, 6, 3), 200, np.uint8)
SETTINGS = {'epochs': 4, 'losses': [{'loss': 'PixelL1', 'weight': 1.0}], 'stop_after': None}


@pytest.fixture(autouse=True)
def _run_folder() -> None:
    RUN.mkdir()


def tell(kind: TrackerType, *, begins_at: int, samples: list[int]) -> None:
    """One start of a run, in which each epoch reports as many thousandths as it has seen samples."""
    with Trackers().started([kind], RUN, begins_at) as trackers:
        trackers.add_settings(SETTINGS)
        for seen in samples:
            trackers.add_scalars({'train/loss': seen / 1000, 'validation/PSNR_x2': 30.0}, seen)
        trackers.add_picture('samples/baby', PICTURE, samples[-1])


def test_tensorboard_has_all_of_it() -> None:
    accumulator_module = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    tell(TrackerType.TensorBoard, begins_at=0, samples=[12, 24, 36])
    accumulator = accumulator_module.EventAccumulator(str(RUN), size_guidance={'images': 0})
    accumulator.Reload()
    assert [(event.step, event.value) for event in accumulator.Scalars('train/loss')] == [
        (seen, pytest.approx(seen / 1000)) for seen in (12, 24, 36)
    ]
    assert accumulator.Tags()['scalars'] == ['train/loss', 'validation/PSNR_x2']
    (image,) = accumulator.Images('samples/baby')
    assert (image.step, image.height, image.width) == (36, 4, 6)
    (text,) = accumulator.Tensors('configuration/text_summary')
    assert b'"epochs": 4' in text.tensor_proto.string_val[0]


def test_tensorboard_forgets_what_lies_behind_the_point_that_a_run_goes_on_from() -> None:
    accumulator_module = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    tell(TrackerType.TensorBoard, begins_at=0, samples=[12, 24, 36])
    tell(TrackerType.TensorBoard, begins_at=12, samples=[24])
    accumulator = accumulator_module.EventAccumulator(str(RUN))
    accumulator.Reload()
    assert [event.step for event in accumulator.Scalars('train/loss')] == [12, 24]


# W&B and Aim, in processes of their own: both leave threads and settings behind.


def skip_without(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f'needs {package}')


TELL = """
import sys
from pathlib import Path
from Models import TrackerType
from tests.Utilities.test_trackers import tell
tell(TrackerType[sys.argv[1]], begins_at=int(sys.argv[2]), samples=[int(number) for number in sys.argv[3:]])
"""


def tell_in_process(kind: str, *numbers: int) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith('WANDB')}
    environment |= {'PYTHONPATH': str(Path(__file__).parents[3]), 'WANDB_MODE': 'offline', 'HOME': str(Path.cwd())}
    command = [sys.executable, '-c', TELL, kind, *map(str, numbers)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert result.returncode == 0, result.stderr


def test_weights_and_biases_goes_on_with_the_same_run_offline() -> None:
    skip_without('wandb')
    tell_in_process('WandB', 0, 12, 24)
    tell_in_process('WandB', 24, 36)
    files = sorted(RUN.glob('wandb/offline-run-*/run-*.wandb'))
    run = (RUN / 'wandb_run.txt').read_text().strip()
    assert [file.name for file in files] == [f'run-{run}.wandb'] * 2
    content = files[0].read_bytes()
    for expected in (b'train/loss', b'samples_seen', b'validation/PSNR_x2', b'stop_after', RUN.name.encode()):
        assert expected in content
    assert len(list(files[0].parent.glob('files/media/images/samples/baby*.png'))) == 1


READ_AIM = """
import sys, json, aim
from aim.storage.context import Context
run = aim.Run(sys.argv[1], repo='.', system_tracking_interval=None, log_system_params=False)
metric = run.get_metric('train/loss', Context({}))
print(json.dumps([run.name, run['configuration'], len(aim.Repo('.').list_all_runs()),
    sorted(metric.values.values_list())]))
run.close()
"""


def test_aim_goes_on_with_the_same_run() -> None:
    skip_without('aim')
    tell_in_process('Aim', 0, 12, 24)
    tell_in_process('Aim', 24, 36)
    run = (RUN / 'aim_run.txt').read_text().strip()
    output = subprocess.run([sys.executable, '-c', READ_AIM, run], capture_output=True, text=True, check=True).stdout
    assert output.strip().splitlines()[-1] == (
        f'["{RUN.name}", {{"epochs": 4, "losses": [{{"loss": "PixelL1", "weight": 1.0}}], "stop_after": null}}, 1, '
        '[0.012, 0.024, 0.036]]'
    )


# What can't be had, and what fails


@pytest.mark.parametrize(('kind', 'package'), [(TrackerType.WandB, 'wandb'), (TrackerType.Aim, 'aim')])
def test_a_tracker_whose_package_is_missing_is_refused(
    kind: TrackerType, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf'TrackerType\.{kind.name} needs .*pip install {package}, or leave it out'):
        tell(kind, begins_at=0, samples=[1])


def test_tensorboard_which_nobody_asked_for_is_only_warned_about(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, 'torch.utils.tensorboard', None)
    tell(TrackerType.TensorBoard, begins_at=0, samples=[1])
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert 'pip install tensorboard' in record.getMessage()


class FakeRun:
    id = 'abc'
    offline = False
    url = 'https://wandb.ai/someone/super-resolution/runs/abc'

    def __init__(self) -> None:
        self.config: Any = types.SimpleNamespace(update=lambda *_, **__: None)
        self.logged: list[dict[str, Any]] = []
        self.define_metric = lambda *_, **__: None
        self.finish = lambda: None

    def log(self, scalars: dict[str, Any]) -> None:
        self.logged.append(scalars)


def fake_wandb(monkeypatch: pytest.MonkeyPatch, *, has_key: bool) -> dict[str, Any]:
    """W&B without W&B; returns what `init` was called with."""
    called: dict[str, Any] = {}

    def init(**arguments: Any) -> FakeRun:
        called.update(arguments)
        return FakeRun()

    module: Any = types.ModuleType('wandb')
    module.Error = type('Error', (Exception,), {})
    module.Settings = lambda **settings: settings
    module.setup = lambda: types.SimpleNamespace(settings=types.SimpleNamespace(mode='online'))
    module.login = lambda prompt: has_key and not prompt
    module.Image = lambda picture: picture
    module.init = init
    monkeypatch.setitem(sys.modules, 'wandb', module)
    return called


def test_weights_and_biases_without_a_key_is_refused_and_never_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    called = fake_wandb(monkeypatch, has_key=False)
    with pytest.raises(ValueError, match=r'TrackerType\.WandB has no key: run `wandb login` once'):
        tell(TrackerType.WandB, begins_at=0, samples=[1])
    assert called == {}


def test_a_new_run_gets_a_new_id_and_a_resumed_one_its_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    called = fake_wandb(monkeypatch, has_key=True)
    for begins_at, expected in ((0, None), (12, 'abc'), (0, None)):
        tell(TrackerType.WandB, begins_at=begins_at, samples=[24])
        assert called['id'] == expected
    assert 'https://wandb.ai/someone/super-resolution/runs/abc' in caplog.text


def test_a_tracker_that_fails_is_left_out_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake_wandb(monkeypatch, has_key=True)
    seen: list[int] = []

    def fail(self: FakeRun, scalars: dict[str, Any]) -> None:
        seen.append(scalars['samples_seen'])
        raise KeyError('network')

    monkeypatch.setattr(FakeRun, 'log', fail)
    with Trackers().started([TrackerType.WandB, TrackerType.TensorBoard], RUN, 0) as trackers:
        for samples_seen in (1, 2, 3):
            trackers.add_scalars({'train/loss': 1.0}, samples_seen)
    assert seen == [1]
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage() == "TrackerType.WandB has failed and is left out from here on: KeyError('network')"
    assert next(RUN.glob('events.out.tfevents*')).stat().st_size > 150
