"""What a test has found stays, however it ends; what its pictures are like is known before the first score."""

import csv
import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import Orchestrators.TestingOrchestrator
import Utilities.reports
from Configuration import BaseTestingConfiguration, Constant, protocols
from Configuration.protocols import Protocol
from Models import BenchmarkType, QualityType, TestingStrategy
from Orchestrators.Prediction.strategies import bicubic
from Orchestrators.TestingOrchestrator import TestingOrchestrator
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PATIENCE, smooth_picture
from tests.killed_runs import fork
from tests.tiny import TrainTiny
from tests.Utilities.test_images import broken_files

STEM = 'model_states_EDSR_LIIF_Tiny_Patch_8_Scale_1_2_best'
SET5, MINE = BenchmarkType.Set5, BenchmarkType.BENCHMARK
TIMES = {'time', 'seconds', 'seconds_per_picture'}


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('trained')
    write(folder / 'pictures', 0, count=3)
    pictures = str(folder / 'pictures')
    TrainingOrchestrator(
        TrainTiny(epochs=1, schedule=Constant(), train_data=pictures, valid_data=pictures, save_path=str(folder))
    ).train()
    return folder


@pytest.fixture(autouse=True)
def _two_sets() -> None:
    write(Path('datasets/Set5/HR'), 20)
    write(Path('mine'), 30)


def write(folder: Path, seed: int, *, count: int = 2, size: tuple[int, int] = (40, 48)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(smooth_picture(*size, seed + number)).save(folder / f'{number}.png')


def run_test(trained: Path, *benchmarks: BenchmarkType, **settings: Any) -> list[dict[str, Any]]:
    defaults: dict[str, Any] = {
        'recipe': 'Tiny', 'input_patch': 8, 'scale_range': (1, 2), 'model_path': str(trained), 'device': 'cpu',
        'metrics': (QualityType.PSNR,), 'eval_scale': (2, 3), 'valid_data_path': 'mine',
    }  # fmt: skip
    return TestingOrchestrator(BaseTestingConfiguration(**defaults | settings)).test(*benchmarks or (SET5, MINE))


def table(name: str = '', folder: str = 'results') -> list[dict[str, str]]:
    file = Path(folder) / f'{STEM}{name}.csv'
    if not file.exists():
        return []
    with file.open(newline='', encoding='utf-8') as opened:
        return [{column: cell for column, cell in row.items() if column not in TIMES} for row in csv.DictReader(opened)]


# Known before the first score


@pytest.mark.parametrize('place', ['HR of the second set', 'LR of the second set'])
def test_damaged_files_are_all_named_before_the_first_score(place: str, trained: Path) -> None:
    if place.startswith('HR'):
        bad, settings = broken_files(Path('mine')), {}
    else:
        write(Path('lr/X2'), 30, size=(20, 24))
        bad, settings = [Path('lr/X2/1.png')], {'eval_scale': 2, 'valid_data_pathScale': 'lr/X{scale}'}
        content = bad[0].read_bytes()
        bad[0].write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=rf'{len(bad)} pictures can not be tested') as error:
        run_test(trained, **settings)
    assert [file for file in bad if str(file) not in str(error.value)] == []
    assert not Path('results').exists()


SMALL = [
    # What is left of a side: its length, cropped to the LR picture's multiple, without a border on both sides.
    ({'eval_scale': 12}, (35, 48), (36, 48)),
    ({'eval_scale': 12}, (48, 35), (48, 36)),
    ({'eval_scale': ((2, 5),)}, (14, 48), (15, 48)),
    ({'eval_scale': 2, 'protocol': Protocol(name='wide', extra_border_px=9)}, (23, 48), (24, 48)),
    ({'eval_scale': 2, 'protocol': Protocol(name='cut', hr_multiple=12, extra_border_px=4)}, (23, 48), (24, 48)),
    ({'eval_scale': 12, 'protocol': protocols.GSASR}, (23, 48), (24, 48)),
]  # fmt: skip


@pytest.mark.parametrize(('settings', 'small', 'large'), SMALL)
def test_pictures_of_which_the_border_leaves_nothing_are_named_before_the_first_score(
    settings: dict[str, Any], small: tuple[int, int], large: tuple[int, int], trained: Path
) -> None:
    """The smallest side that can be tested is tested, one that can't be is refused by name."""
    Image.fromarray(smooth_picture(*small, 0)).save('mine/1.png')
    with pytest.raises(ValueError, match=r'mine/1\.png is \d+x\d+ pixels, of which none are left to compare at x'):
        run_test(trained, MINE, **settings)
    assert not Path('results').exists()
    for name in ('0', '1'):
        Image.fromarray(smooth_picture(*large, 0)).save(f'mine/{name}.png')
    run_test(trained, MINE, **settings)
    assert len(table()) == 2


def test_a_fixed_size_that_the_border_uses_up_is_refused(trained: Path) -> None:
    with pytest.raises(ValueError, match=r'mine/0\.png is 48x40 pixels, of which none are left to compare at x4'):
        run_test(trained, eval_size=(30, 8), eval_scale=4)
    assert not Path('results').exists()


def test_a_table_of_other_columns_is_refused_before_the_first_score(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path('results').mkdir()
    for name in ('', '_images'):
        file = Path(f'results/{STEM}{name}.csv')
        file.write_text('time,PSNR\n2026,30\n')
        monkeypatch.setattr(TestingOrchestrator, '_evaluate', pytest.fail)
        with pytest.raises(ValueError, match=rf'{STEM}{name}\.csv has other columns than this version writes'):
            run_test(trained)
        file.unlink()


# A test that stops


def fail_at(monkeypatch: pytest.MonkeyPatch, count: int, error: BaseException) -> None:
    """Let the picture of this number, of all that bicubic interpolation makes, not come."""
    calls = itertools.count(1)

    def predict(*arguments: Any) -> Any:
        if next(calls) == count:
            raise error
        return bicubic(*arguments)

    monkeypatch.setattr(Orchestrators.TestingOrchestrator, 'bicubic', predict)


@pytest.mark.parametrize('count', range(1, 9))
@pytest.mark.parametrize('error', [OSError('gone'), KeyboardInterrupt()], ids=['error', 'signal'])
def test_a_test_that_stops_keeps_what_it_has_and_goes_on_there(
    error: BaseException, count: int, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each of the eight pictures (two sets, two scales, two pictures)."""
    expected = run_test(trained, result_path='undisturbed')
    with monkeypatch.context() as patch:
        fail_at(patch, count, error)
        with pytest.raises(type(error)):
            run_test(trained)
    done = 2 * ((count - 1) // 2)
    for name, pictures in (('', 1), ('_images', 2)):
        assert table(name) == table(name, 'undisturbed')[: done * pictures]
    measured: list[str] = []
    evaluate = TestingOrchestrator._evaluate

    def count_evaluated(self: Any, question: Any, *others: Any) -> Any:
        measured.append(f'{question.row.benchmark} x{question.row.scale} {question.row.method}')
        return evaluate(self, question, *others)

    monkeypatch.setattr(TestingOrchestrator, '_evaluate', count_evaluated)
    found = run_test(trained)
    assert len(measured) == len(set(measured)) == 8 - done
    assert [without_times(row) for row in found] == [without_times(row) for row in expected]
    for name in ('', '_images'):
        assert table(name) == table(name, 'undisturbed')
    # Having come through, the same call measures anew, and appends.
    run_test(trained)
    assert len(measured) == 16 - done
    assert table() == table(folder='undisturbed') * 2


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    return {name: cell for name, cell in row.items() if name not in TIMES}


def stop_half(trained: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    """Leave the rows of the first scale of the first set."""
    with monkeypatch.context() as patch:
        fail_at(patch, 3, OSError('gone'))
        with pytest.raises(OSError, match='gone'):
            run_test(trained, **settings)
    assert len(table()) == 2


def other_weights(trained: Path) -> Path:
    folder = trained / 'other'
    if not folder.exists():
        pictures = str(trained / 'pictures')
        TrainingOrchestrator(
            TrainTiny(
                epochs=1, schedule=Constant(), train_data=pictures, valid_data=pictures, save_path=str(folder), seed=5
            )
        ).train()
    return folder


def change_a_picture(_: pytest.MonkeyPatch) -> None:
    Image.fromarray(smooth_picture(40, 48, 99)).save('datasets/Set5/HR/1.png')


def rename_a_picture(_: pytest.MonkeyPatch) -> None:
    Path('datasets/Set5/HR/1.png').rename('datasets/Set5/HR/other.png')


def change_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Orchestrators.TestingOrchestrator, 'code_version', lambda: 'another')


CHANGES: dict[str, tuple[dict[str, Any], Callable[[pytest.MonkeyPatch], None]]] = {
    'a picture': ({}, change_a_picture),
    'a name': ({}, rename_a_picture),
    'the code': ({}, change_the_code),
    'the protocol': ({'protocol': protocols.MMAGIC}, lambda _: None),
    'the strategy': ({'test_strategy': TestingStrategy.Patched, 'breakdown_patch_size': 8}, lambda _: None),
    'the ensemble': ({'self_ensemble': 4}, lambda _: None),
    'the metrics': ({'metrics': (QualityType.PSNR, QualityType.SSIM)}, lambda _: None),
    'the number': ({'total_example': 1}, lambda _: None),
    'the size': ({'eval_size': (48, 40)}, lambda _: None),
    'the pictures wanted': ({'save_pictures': True}, lambda _: None),
    'the cost wanted': ({'measure_cost': True, 'cost_lr_side': 8}, lambda _: None),
}


@pytest.mark.parametrize('change', CHANGES)
def test_nothing_is_taken_over_from_another_question(
    change: str, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of a stopped test are left as they are, and the network's are measured again."""
    stop_half(trained, monkeypatch)
    before = table()
    settings, act = CHANGES[change]
    act(monkeypatch)
    run_test(trained, **settings)
    rows = table()
    assert rows[:2] == before
    networks = [row for row in rows[2:] if row['method'] != 'bicubic']
    assert [(row['benchmark'], row['scale']) for row in networks] == [
        (benchmark, scale) for benchmark in ('Set5', 'BENCHMARK') for scale in ('2', '3')
    ]


def test_rows_of_other_weights_under_the_same_name_are_not_taken_over(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_half(trained, monkeypatch)
    run_test(other_weights(trained))
    rows = table()
    assert len(rows) == 2 + 8
    assert len({row['checkpoint_sha256'] for row in rows}) == 2


def test_a_picture_that_was_to_be_saved_and_is_gone_is_made_again(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_half(trained, monkeypatch, save_pictures=True)
    saved = Path(f'results/{STEM}/Set5_x2/1.png')
    content = saved.read_bytes()
    saved.unlink()
    run_test(trained, save_pictures=True)
    assert saved.read_bytes() == content


# Killed


def test_and_be_killed(trained: str, folder: str, place: int) -> None:
    """Not a test: what the process does that is killed, in the middle of writing its files."""
    os.chdir(folder)
    signal.alarm(PATIENCE)
    writes = iter(range(1, 1000))
    append = Utilities.reports.append_csv

    def append_and_die(path: Path, rows: Any) -> None:
        number = next(writes)
        if number == place and path.exists() and rows:
            # Half of a row, as a full disk or a kill within a long write leaves it.
            with path.open('a', encoding='utf-8') as file:
                file.write('2026-01-01,EDSR')
            os.kill(os.getpid(), signal.SIGKILL)
        append(path, rows)
        if number == place:
            os.kill(os.getpid(), signal.SIGKILL)

    Orchestrators.Evaluation.ResultTables.append_csv = append_and_die  # type: ignore[attr-defined]
    run_test(Path(trained))


test_and_be_killed.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture
def undisturbed(trained: Path) -> list[list[dict[str, str]]]:
    run_test(trained, result_path='undisturbed')
    return [table(name, 'undisturbed') for name in ('', '_images')]


@pytest.mark.parametrize('places', [(1, 1, 1), (2, 2, 2), (3, 1, 4), (16, 1)])
def test_a_test_that_is_killed_again_and_again_ends_with_the_rows_of_one(
    places: tuple[int, ...], trained: Path, undisturbed: list[list[dict[str, str]]], tmp_path: Path
) -> None:
    """By kill -9 within or between the writes of the two tables, each place counted from a start on."""
    for place in places:
        process = fork(test_and_be_killed, str(trained), str(tmp_path), place)
        process.join(PATIENCE)
        assert process.exitcode in (-signal.SIGKILL, 0)
    run_test(trained)
    assert [table(name) for name in ('', '_images')] == undisturbed
