"""How many rooms a reader passes from `train.py` to the first update."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import PictureMaker

ROOT = Path(__file__).parent.parent
AT_MOST = 63
"""Modules. 45 are the aim; more than these are a step back: let something grow before adding a file."""

SCRIPT = """
import json, os, sys
from pathlib import Path
import torch
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.tiny import TrainTiny

root = os.getcwd()
os.chdir(sys.argv.pop(1))
passed = set()

class Updated(BaseException):
    pass

def note(frame, event, argument):
    code = frame.f_code
    # A class's body is run when it is imported, and is no function.
    if code.co_filename.startswith(root) and code.co_flags & 2:
        passed.add(str(Path(code.co_filename).relative_to(root)))

def stop(*_, **__):
    raise Updated

torch.optim.Adam.step = stop
sys.setprofile(note)
try:
    TrainingOrchestrator(TrainTiny()).train()
except Updated:
    sys.setprofile(None)
    print(json.dumps(sorted(name for name in passed if not name.startswith(('tests', '.venv')))))
"""


def modules_passed(folder: Path) -> list[str]:
    """Those of the project of which a line of a function runs, of the tests' tiny recipe."""
    environment = os.environ | {'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    found = subprocess.run(
        [sys.executable, '-c', SCRIPT, str(folder)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    passed: list[str] = json.loads(found.stdout.splitlines()[-1])
    return passed


def test_from_the_recipe_to_the_first_update_a_reader_passes_few_modules(
    make_pictures: PictureMaker, tmp_path: Path
) -> None:
    make_pictures()
    passed = modules_passed(tmp_path)
    # What every training goes through has been seen, or the count says nothing.
    assert {
        'Orchestrators/TrainingOrchestrator.py', 'Datasets/TrainingCrops.py', 'Models/Decoders/LIIF.py',
        'Losses/PixelL1.py', 'Orchestrators/Steps/Updater.py',
    } <= set(passed)  # fmt: skip
    assert len(passed) <= AT_MOST, '\n'.join(passed)
