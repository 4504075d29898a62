"""What many tests need: pictures made on the spot, a tiny recipe, seeded random numbers."""

import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

# The tests run in two processes, and start others. On a busy machine threads that wait for one another cost more time
# than all that is computed, and tiny tensors gain nothing from them. Before torch, as OpenMP reads it once.
os.environ.update(dict.fromkeys(('OMP_NUM_THREADS', 'MKL_NUM_THREADS'), '1'))

import numpy as np
import pytest
import torch
from PIL import Image

torch.set_num_threads(1)

PATIENCE = 300
"""Seconds to wait for what takes a moment, on a busy machine a hundred times that."""

PictureMaker = Callable[..., list[Path]]


@pytest.fixture
def random() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Tests run in a folder of their own, so that none writes into the project."""
    if 'data' not in request.keywords:
        monkeypatch.delenv('ASSR_DATASETS', raising=False)
    monkeypatch.chdir(tmp_path)


def smooth_picture(height: int, width: int, seed: int) -> np.ndarray:
    """Random waves in three colors: smooth enough to be learned, unlike noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 16
    waves = [np.sin(random.uniform(-3, 3) * x + random.uniform(-3, 3) * y + random.uniform(0, 6)) for _ in range(3 * 4)]
    colors = np.stack([np.mean(waves[4 * channel : 4 * channel + 4], axis=0) for channel in range(3)], axis=-1)
    return np.clip(127.5 + 127.5 * colors, 0, 255).round().astype(np.uint8)


@pytest.fixture
def make_pictures(tmp_path: Path) -> PictureMaker:
    """Write smooth random pictures into a folder."""

    def make(folder: str = 'pictures', *, count: int = 3, height: int = 40, width: int = 48) -> list[Path]:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        files = [tmp_path / folder / f'picture_{number}.png' for number in range(count)]
        for number, file in enumerate(files):
            Image.fromarray(smooth_picture(height, width, number)).save(file)
        return files

    return make


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption('--references', help='folder of fixtures to compare networks with; default: tests/references')
    parser.addoption('--slow', action='store_true', help='also run the tests that take minutes')


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption('--slow'):
        for item in items:
            if 'slow' in item.keywords:
                item.add_marker(pytest.mark.skip(reason='takes minutes; runs with --slow'))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List fixtures of classes that this framework does not have (tests/Models/test_references.py), by class."""
    missing = defaultdict(list)
    for report in terminalreporter.stats.get('skipped', []):
        for name, value in report.user_properties:
            if name == 'not in this framework':
                missing[value].append(report.nodeid.rpartition('[')[2].removesuffix(']'))
    if missing:
        count = sum(len(fixtures) for fixtures in missing.values())
        terminalreporter.section(f'{count} fixtures are of classes that this framework does not have yet')
        for name, fixtures in sorted(missing.items()):
            terminalreporter.write_line(f'{name}: {", ".join(sorted(fixtures))}')
