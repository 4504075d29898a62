"""A terminal that is gone, or knows only ASCII, stops nothing (FAULTS case 46)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PictureMaker
from tests.killed_runs import state_of
from tests.tiny import TrainTiny
from Utilities.command_line import configure_console

SCRIPT = (
    'from tests.tiny import TrainTiny, TrainingOrchestrator, run_command\n'
    'run_command(lambda: TrainingOrchestrator(TrainTiny(epochs=3)).train() and None, show_traceback=False)\n'
)


def test_a_run_goes_on_where_nobody_reads(make_pictures: PictureMaker, tmp_path: Path) -> None:
    """FAULTS case 46: both streams into `head -n 1`, LANG=C, no terminal; the log has everything."""
    files = make_pictures()
    files[0].rename(files[0].with_name('größe.png'))
    ascii_only = {'LANG': 'C', 'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'}
    environment = os.environ | ascii_only | {'PYTHONPATH': str(Path(__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, '-c', SCRIPT],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=tmp_path, env=environment,
    ) as run:  # fmt: skip
        assert run.stdout is not None
        assert run.stdout.readline().startswith(b'Recipe Tiny')
        run.stdout.close()
        assert run.wait(120) in {0, 120}  # 120: Python itself, at its end, for the stream that is gone.
    assert state_of(TrainTiny(), folder=tmp_path).progress['epoch'] == 3
    (log,) = tmp_path.glob('model_states_*/log.txt')
    text = log.read_text(encoding='utf-8')
    assert [f'Epoch {epoch}/3' in text for epoch in (1, 2, 3)] == [True] * 3
    assert 'Finished: 3 epochs' in text
    assert 'größe.png' in text or 'gr\\udcc3' in text


def test_closed_streams_are_no_error(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """FAULTS case 46: Python has no sys.stdout at all after `>&-`."""
    import logging

    configure_console()
    monkeypatch.setattr(sys, 'stdout', None)
    monkeypatch.setattr(sys, 'stderr', None)
    for level in (logging.INFO, logging.ERROR):
        logging.getLogger('Orchestrators').log(level, 'nobody hears it')
    assert caplog.text.count('nobody hears it') == 2
