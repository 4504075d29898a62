"""The scripts in the root, run as a user runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PATIENCE, PictureMaker
from tests.tiny import TrainTiny

ROOT = Path(__file__).parent.parent


def run(script: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {'OMP_NUM_THREADS': '1'}
    environment.pop('ASSR_DATASETS', None)
    return subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


def test_testing_without_a_checkpoint_is_one_line(tmp_path: Path) -> None:
    result = run('test.py', cwd=tmp_path)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith('error: There is no checkpoint model_states_EDSR_LIIF_QuickStart')
    assert 'Traceback' in run('test.py', '--debug', cwd=tmp_path).stderr


@pytest.mark.parametrize('script', ['train.py', 'test.py'])
def test_settings_are_not_taken_from_the_command_line(script: str, tmp_path: Path) -> None:
    result = run(script, '--epochs', '5', cwd=tmp_path)
    assert result.returncode != 0
    assert "takes no argument but --debug, got '--epochs'" in result.stderr


def test_upscale_script(make_pictures: PictureMaker, tmp_path: Path) -> None:
    make_pictures(count=1)
    TrainingOrchestrator(TrainTiny(epochs=1)).train()
    result = run('upscale.py', 'pictures/picture_0.png', '--size', '50x30', cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert 'pictures/picture_0.png (48x40) -> pictures/picture_0_sr.png (50x30)' in result.stdout
    again = run('upscale.py', 'pictures/picture_0.png', '--size', '50*30', cwd=tmp_path)
    assert (again.returncode, len(again.stderr.splitlines())) == (2, 1)
    assert "such as 1200x800, got '50*30'" in again.stderr
