"""A score stands under the name of the set that it was measured on, whatever else a call and its settings name."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import Datasets.benchmarks
from Configuration import BaseTestingConfiguration, Constant
from Models import BenchmarkType, QualityType
from Orchestrators.Evaluation.testing_tasks import scales_of
from Orchestrators.TestingOrchestrator import TestingOrchestrator
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import smooth_picture
from tests.tiny import TrainTiny

PHOTOGRAPHS, SET5, MINE = BenchmarkType.Photographs, BenchmarkType.Set5, BenchmarkType.BENCHMARK
FOLDERS = {
    'none': {},
    'HR': {'valid_data_path': 'mine'},
    'LR': {'valid_data_pathScale': 'mine_lr/X{scale}'},
    'both': {'valid_data_path': 'mine', 'valid_data_pathScale': 'mine_lr/X{scale}'},
}
CALLS = [call for count in range(3) for call in itertools.permutations((PHOTOGRAPHS, SET5, MINE), count)]
CALLS.append((SET5, MINE, PHOTOGRAPHS))
DIFFERING = {'time', 'seconds_per_picture'}


@pytest.fixture(scope='module')
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp('trained')
    write(folder / 'pictures', 3, (40, 48))
    pictures = str(folder / 'pictures')
    TrainingOrchestrator(
        TrainTiny(epochs=1, schedule=Constant(), train_data=pictures, valid_data=pictures, save_path=str(folder))
    ).train()
    return str(folder)


@pytest.fixture(autouse=True)
def _three_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same file names, as sets are numbered alike, with other contents."""
    photographs = write(Path('photographs'), 10, (40, 48))
    monkeypatch.setattr(Datasets.benchmarks, 'photograph_files', lambda _: photographs)
    write(Path('datasets/Set5/HR'), 20, (32, 40))
    write(Path('mine'), 30, (36, 24))
    for scale in (2, 3):
        # Official files of one set, the user's own of another; of waves that no reduction makes.
        write(Path(f'datasets/Set5/LR_bicubic/X{scale}'), 40 + scale, (32 // scale, 40 // scale))
        write(Path(f'mine_lr/X{scale}'), 50 + scale, (36 // scale, 24 // scale))


def write(folder: Path, seed: int, size: tuple[int, int]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f'{number}.png' for number in range(2)]
    for number, file in enumerate(files):
        Image.fromarray(smooth_picture(*size, seed + number)).save(file)
    return files


def rows_of(checkpoints: str, call: tuple[BenchmarkType, ...], **settings: Any) -> list[dict[str, Any]]:
    defaults: dict[str, Any] = {
        'recipe': 'Tiny', 'input_patch': 8, 'scale_range': (1, 2), 'model_path': checkpoints, 'device': 'cpu',
        'metrics': (QualityType.PSNR,), 'eval_scale': (2, 3),
    }  # fmt: skip
    rows = TestingOrchestrator(BaseTestingConfiguration(**defaults | settings)).test(*call)
    return [{name: cell for name, cell in row.items() if name not in DIFFERING} for row in rows]


@pytest.mark.parametrize('default', [PHOTOGRAPHS, SET5, MINE])
@pytest.mark.parametrize('folders', FOLDERS)
def test_rows_of_a_set_are_those_of_a_call_with_that_set_alone(
    folders: str, default: BenchmarkType, checkpoints: str
) -> None:
    """For every call of up to three sets in every order; or it is refused by the name of a setting."""
    paths = FOLDERS[folders]
    if default is MINE and 'valid_data_path' not in paths:
        with pytest.raises(ValueError, match='valid_data_path must name a folder'):
            BaseTestingConfiguration(benchmark=MINE, **paths)  # type: ignore[arg-type]
        return
    alone = {
        PHOTOGRAPHS: rows_of(checkpoints, (PHOTOGRAPHS,)),
        SET5: rows_of(checkpoints, (SET5,)),
        MINE: rows_of(checkpoints, (MINE,), **{'valid_data_path': 'mine'} | paths),
    }
    assert len({row['PSNR'] for rows in alone.values() for row in rows}) == 3 * 2 * 2
    for call in CALLS:
        tested = call or (default,)
        if MINE in tested and 'valid_data_path' not in paths:
            with pytest.raises(ValueError, match='valid_data_path must name a folder of HR pictures'):
                rows_of(checkpoints, call, benchmark=default, **paths)
        elif MINE not in tested and paths:
            with pytest.raises(ValueError, match=rf'{next(iter(paths))} = .* belongs to BenchmarkType.BENCHMARK, but'):
                rows_of(checkpoints, call, benchmark=default, **paths)
        else:
            expected = [row for benchmark in tested for row in alone[benchmark]]
            assert rows_of(checkpoints, call, benchmark=default, **paths) == expected, call


def test_what_is_named_twice_is_measured_once(checkpoints: str) -> None:
    once = rows_of(checkpoints, (SET5, PHOTOGRAPHS), eval_scale=2)
    assert rows_of(checkpoints, (SET5, PHOTOGRAPHS, SET5), eval_scale=(2, 2.0, (2, 2))) == once
    assert scales_of((3, 2, (2, 3), (2, 3), 3), ()) == (3, 2, (3, 2))
