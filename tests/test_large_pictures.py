"""Pictures from small to larger than the memory, by the script, in the same memory. Minutes to an hour: `--slow`."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PictureMaker, smooth_picture
from tests.tiny import TrainTiny

ROOT = Path(__file__).parent.parent
MAX_MEMORY = 800
MEASURED = """
import re, runpy, sys
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition('/')[0])
runpy.run_path(sys.argv[0], run_name='__main__')
print(re.findall(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[0])
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != 'linux', reason='the high-water mark is read as Linux tells it'),
]


@pytest.mark.parametrize(
    ('side', 'scale'), [(256, 2), (256, 4), (256, 8), (512, 4), (512, 8), (1024, 4), (1024, 8), (2048, 2), (2048, 8)]
)
def test_a_ladder_of_pictures_in_the_same_memory(side: int, scale: int, make_pictures: PictureMaker) -> None:
    """The last is of 16384 x 16384 pixels, 805 MB in bytes and 3.2 GB in floating point."""
    make_pictures()
    TrainingOrchestrator(TrainTiny(epochs=1)).train()
    Image.fromarray(smooth_picture(side, side, 0)).save('large.png')
    command = [sys.executable, '-c', MEASURED, str(ROOT / 'upscale.py'), 'large.png', '--scale', str(scale)]
    command += ['--output', 'larger.tif', '--max-memory', str(MAX_MEMORY), '--device', 'cpu']
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    high_water = int(result.stdout.splitlines()[-1]) // 1024
    print(f'{side}x{side} x{scale}: {high_water} MiB')  # noqa: T201  shown with -s
    assert high_water <= MAX_MEMORY
    Image.MAX_IMAGE_PIXELS, before = None, Image.MAX_IMAGE_PIXELS
    with Image.open('larger.tif') as picture:
        assert picture.size == (side * scale, side * scale)
        assert picture.crop((0, 0, 64, 64)).convert('L').getextrema() != (0, 0)
    Image.MAX_IMAGE_PIXELS = before
