"""An old torch, whose weights_only can be got around, reads no file (FAULTS case 36)."""

from pathlib import Path

import pytest
import torch
from torch.torch_version import TorchVersion

from Models.published_checkpoints.files import read_published
from Utilities.Checkpoint import Checkpoint
from Utilities.command_line import run_command
from Utilities.optional import read_imagenet_weights

OLD, NEW = ('2.5.1+cu124', '2.9.1', '1.13.0'), ('2.10.0', '2.11.0+cpu', '3.0.0')


def pretend(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(torch, '__version__', TorchVersion(version))


@pytest.mark.parametrize('version', OLD)
def test_an_old_torch_starts_no_command(
    version: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pretend(monkeypatch, version)
    started: list[int] = []
    with pytest.raises(SystemExit) as stopped:
        run_command(lambda: started.append(1), show_traceback=False)
    assert stopped.value.code == 2
    assert f'torch is {version}' in caplog.text
    assert 'it must be at least 2.11: pip install' in caplog.text
    assert not started


@pytest.mark.parametrize('version', NEW)
def test_a_new_torch_does(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, version)
    started: list[int] = []
    run_command(lambda: started.append(1), show_traceback=False)
    assert started


def test_every_load_call_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it looks whether there is a file."""
    pretend(monkeypatch, OLD[0])
    for load in (
        lambda: Checkpoint.load(Path('absent.pth')),
        lambda: read_published(Path('absent.pth')),
        lambda: read_imagenet_weights('absent-01234567.pth', 1, 'VGG'),
    ):
        with pytest.raises(ValueError, match='CVE-2025-32434'):
            load()
