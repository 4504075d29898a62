"""Imports go down, never up, never sideways between folders."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {
    'train': 5, 'test': 5, 'upscale': 5, 'Orchestrators': 4, 'Losses': 3, 'Datasets': 3, 'Models': 2, 'Utilities': 1,
    'Configuration': 1, 'vocabulary': 0,
}  # fmt: skip
ORCHESTRATORS = {
    'gpu_check': 4.9, 'report': 4.9, 'TrainingOrchestrator': 4.8, 'benchmark': 4.8, 'compare': 4.8, 'Pipelines': 4.7,
    'Training': 4.6, 'Steps': 4.5, 'TestingOrchestrator': 4.4, 'Comparison': 4.4, 'convert': 4.4, 'Evaluation': 4.3,
    'Prediction': 4.2,
}  # fmt: skip
"""The floors within Orchestrators; the modules at its top that start a command are floors of their own."""


def room_of(module: str) -> str | None:
    """The room that a module is in; None for other people's modules."""
    parts = module.split('.')
    if parts[0] not in FLOORS:
        return None
    if parts[0] == 'Models' and (len(parts) == 1 or parts[1].endswith(('Type', 'Strategy'))):
        return 'vocabulary'
    if parts[0] == 'Orchestrators' and len(parts) > 1:
        return '.'.join(parts[:2])
    return parts[0]


def floor_of(room: str) -> float:
    """Within Orchestrators, each of its folders and commands has a floor of its own."""
    top, _, inner = room.partition('.')
    return ORCHESTRATORS[inner] if inner else FLOORS[top]


def imported_modules(source: str) -> list[str]:
    modules = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            modules.append(node.module)
            # `from Utilities import PathManager` imports a module by its folder.
            modules += [f'{node.module}.{alias.name}' for alias in node.names if node.module in FLOORS]
    return modules


def violations(module: str, source: str) -> list[str]:
    own = room_of(module)
    assert own is not None
    found = []
    for imported in imported_modules(source):
        other = room_of(imported)
        if other is not None and other != own and floor_of(other) >= floor_of(own):
            found.append(f'{module} (floor {floor_of(own)}) imports {imported} (floor {floor_of(other)})')
    return found


def our_modules() -> list[tuple[str, Path]]:
    files = [file for room in FLOORS for file in [*ROOT.glob(f'{room}.py'), *ROOT.glob(f'{room}/**/*.py')]]
    return [('.'.join(file.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__'), file) for file in files]


def test_imports_go_down() -> None:
    modules = our_modules()
    assert len(modules) > 50
    assert [line for module, file in modules for line in violations(module, file.read_text())] == []


@pytest.mark.parametrize(
    ('module', 'source'),
    [
        ('Losses.PixelL1', 'from Datasets.ImageFolder import ImageFolder'),
        ('Utilities.images', 'from Configuration import TrainSimple'),
        ('Models.Encoders.EDSR', 'import Orchestrators.Evaluation.evaluation'),
        ('Models.EncoderType', 'from Utilities import find_class'),
        ('Utilities.images', 'from Models.Encoders.EDSR import EDSR'),
        ('Orchestrators.Steps.Updater', 'from Orchestrators.Training.Run import Run'),
        ('Orchestrators.Prediction.strategies', 'from Orchestrators.Evaluation.evaluation import evaluate'),
    ],
)
def test_a_planted_violation_is_found(module: str, source: str) -> None:
    line = violations(module, source)[0]
    assert module in line
    assert 'floor' in line


def test_vocabulary_and_configurations_do_not_import_torch() -> None:
    script = 'import sys; import Configuration, Models; sys.exit("torch" in sys.modules or "numpy" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', script], cwd=ROOT, check=False).returncode == 0


def test_optional_packages_are_imported_where_they_are_used() -> None:
    """The core runs without torchvision, the metrics' packages, trackers, matplotlib, scikit-image and safetensors."""
    blocked = (
        '["torchvision", "lpips", "piq", "torchmetrics", "pyiqa", "tensorboard", "wandb", "aim", "matplotlib", '
        '"skimage", "safetensors"]'
    )
    script = (
        f'import sys; sys.modules.update({{name: None for name in {blocked}}});'
        'import Orchestrators.TrainingOrchestrator, Orchestrators.TestingOrchestrator;'
        'import Orchestrators.Prediction.upscaling;'
        'import Models.published_checkpoints'
    )
    assert subprocess.run([sys.executable, '-c', script], cwd=ROOT, check=False).returncode == 0
