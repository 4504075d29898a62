"""Several processes do what one does: the same weights, the same scores, and one of them writes."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from Configuration import Constant, MultiStep
from Datasets.loaders import EpochBatches
from Models import BenchmarkType, DecoderType, EncoderType, QualityType, SavedModelType
from Orchestrators.Prediction.file_names import checkpoint_path
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests import ranks
from tests.conftest import PictureMaker
from tests.tiny import TrainTiny
from Utilities.Checkpoint import Checkpoint
from Utilities.devices import choose_device
from Utilities.distributed import Ranks


@pytest.fixture(autouse=True)
def _path_for_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PYTHONPATH', str(Path(__file__).parents[2]))


@pytest.fixture
def folders(make_pictures: PictureMaker, tmp_path: Path) -> list[Path]:
    """Of two machines that share nothing."""
    make_pictures()
    found = [tmp_path / 'first', tmp_path / 'second']
    for folder in found:
        shutil.copytree(tmp_path / 'pictures', folder / 'pictures')
    return found


def last_of(folder: Path, **settings: Any) -> Checkpoint:
    return Checkpoint.load(folder / checkpoint_path(TrainTiny(**settings), SavedModelType.Last, '.'))


def trained_alone(folder: Path, **settings: Any) -> Checkpoint:
    recipe = TrainTiny(save_path=str(folder), **settings)
    TrainingOrchestrator(recipe).train()
    return Checkpoint.load(checkpoint_path(recipe, SavedModelType.Last, folder))


def distance(one: Checkpoint, other: Checkpoint) -> float:
    assert one.network.keys() == other.network.keys()
    return max(float((one.network[name] - other.network[name]).abs().max()) for name in one.network)


def output_of(folder: Path) -> str:
    return (folder / 'output.txt').read_text()


@pytest.mark.parametrize(
    'settings',
    [
        # 12 samples: batches of 5, 5 and 2; of 11 and 1, in which the second process has none.
        {'batch_size': 5},
        {'batch_size': 11, 'valid_examples': 3},
        {'batch_size': 3, 'accumulate': 3, 'clip_gradient': 0.05, 'ema_decay': 0.9},
        # One sample each; the second stage takes part from x1.5 on.
        {'batch_size': 2, 'decoder': DecoderType.CLIT, 'decoder_options': ranks.CLIT},
    ],
    ids=['uneven', 'empty', 'all', 'idle'],
)
def test_two_processes_learn_what_one_learns(settings: dict[str, Any], folders: list[Path], tmp_path: Path) -> None:
    settings = {'epochs': 2, 'schedule': MultiStep((1,)), 'learning_rate': 1e-4} | settings
    assert ranks.run_ranks(ranks.train, folders, **settings) == [0, 0], output_of(folders[0])
    expected = trained_alone(tmp_path / 'alone', **settings)
    found = last_of(folders[0], **settings)
    # A hundredth of a step of Adam, which divides by the gradient, and so by how small ones are rounded.
    assert distance(found, expected) < 1e-6
    assert found.progress['samples_seen'] == expected.progress['samples_seen'] == 24
    assert found.progress['best'] == pytest.approx(expected.progress['best'], abs=1e-4)
    # The same weights and validations to the last bit.
    told = [(folder / 'told.txt').read_text() for folder in folders]
    assert told[0] == told[1]
    assert len(told[0].splitlines()) == 2
    # The second one neither writes nor speaks; but torch says once that it looks for idle weights.
    said = output_of(folders[1]).splitlines()
    assert [line for line in said if 'find_unused_parameters' not in line and line != 'operator())'] == []
    left = {file.name for file in folders[1].iterdir()}
    assert left == {'pictures', 'output.txt', 'told.txt'}


def test_the_logged_means_are_those_of_all_samples(folders: list[Path], tmp_path: Path) -> None:
    settings = {'batch_size': 5, 'epochs': 1, 'schedule': Constant()}
    ranks.run_ranks(ranks.train, folders, **settings)
    trained_alone(tmp_path / 'alone', **settings)
    rows = []
    for folder in (folders[0], tmp_path / 'alone'):
        (table,) = folder.glob('*/metrics.csv')
        names, values = (line.split(',') for line in table.read_text().splitlines())
        rows.append(dict(zip(names, map(float, values), strict=True)))
    for name in ('samples_seen', 'train/loss', 'train/psnr', 'validation/PSNR_x2', 'validation/SSIM_x2'):
        assert rows[0][name] == pytest.approx(rows[1][name], rel=1e-5), name


def test_one_process_begins_two_go_on_and_one_ends(folders: list[Path], tmp_path: Path) -> None:
    settings = {'batch_size': 5, 'schedule': MultiStep((2,)), 'learning_rate': 1e-4}
    trained_alone(folders[0], epochs=1, **settings)
    assert ranks.run_ranks(ranks.train, folders, epochs=2, **settings) == [0, 0], output_of(folders[0])
    assert 'Continuing after epoch 1' in output_of(folders[0])
    found = trained_alone(folders[0], epochs=3, **settings)
    assert found.progress['epoch'] == 3
    assert distance(found, trained_alone(tmp_path / 'alone', epochs=3, **settings)) < 1e-6


@pytest.mark.parametrize('count', [1, 2], ids=['one', 'two'])
def test_a_signal_to_the_second_stops_both_and_the_run_goes_on(count: int, folders: list[Path], tmp_path: Path) -> None:
    """In the middle of an update, so that the gradients of both are in the file."""
    settings = {'batch_size': 3, 'accumulate': 3, 'epochs': 2, 'schedule': MultiStep((1,)), 'learning_rate': 1e-4}
    codes = ranks.run_ranks(ranks.train_with_stop, folders, after=2, **settings)
    assert codes == [143, 143], output_of(folders[0])
    assert 'Stopped by SIGTERM after batch 2 of epoch 1; saved' in output_of(folders[0])
    assert last_of(folders[0]).progress['samples_seen'] == 6
    if count == 1:
        found = trained_alone(folders[0], **settings)
    else:
        assert ranks.run_ranks(ranks.train, folders, **settings) == [0, 0], output_of(folders[0])
        found = last_of(folders[0])
    assert distance(found, trained_alone(tmp_path / 'alone', **settings)) < 1e-6


def test_a_process_that_is_killed_ends_the_other(folders: list[Path]) -> None:
    """In epoch 2, with the checkpoint of epoch 1."""
    codes = ranks.run_ranks(ranks.train_with_stop, folders, after=5, number=signal.SIGKILL)
    assert codes == [1, -signal.SIGKILL]
    assert 'is whole; run the same command to go on from it' in output_of(folders[0])
    assert last_of(folders[0]).progress['epoch'] == 1


def test_a_bad_number_in_one_process_ends_all(folders: list[Path]) -> None:
    settings = {'batch_size': 3, 'accumulate': 3}
    assert ranks.run_ranks(ranks.train_on_bad_numbers, folders, at=2, **settings) == [1, 1]
    assert 'Epoch 1, batch 2 (step 2): loss is nan' in output_of(folders[0])
    assert output_of(folders[1]) == ''
    assert not list(folders[0].glob('*.pth'))


def test_an_error_of_one_process_before_the_first_step_ends_all(folders: list[Path]) -> None:
    damaged = folders[1] / 'pictures' / 'picture_1.png'
    damaged.write_bytes(damaged.read_bytes()[:200])
    codes = ranks.run_ranks(ranks.train, folders)
    assert codes == [1, 2]
    assert 'picture_1.png' in output_of(folders[1])
    assert 'error' not in output_of(folders[0])


def test_machines_with_other_pictures_are_refused(folders: list[Path]) -> None:
    (folders[1] / 'pictures' / 'picture_2.png').unlink()
    assert ranks.run_ranks(ranks.train, folders) == [2, 1]
    assert 'must be the same, by number, name and content, for all processes, which found 3, 2' in output_of(folders[0])


def test_a_cache_on_the_disk_is_filled_by_the_first(folders: list[Path], tmp_path: Path) -> None:
    cache = tmp_path / 'cache'
    pictures = str(folders[0] / 'pictures')
    settings = {
        'cache': 'disk',
        'cache_folder': str(cache),
        'train_data': pictures,
        'epochs': 1,
        'schedule': Constant(),
    }
    assert ranks.run_ranks(ranks.train, folders, **settings) == [0, 0], output_of(folders[0])
    assert 'Decoding 3 pictures' in output_of(folders[0])


@pytest.mark.parametrize('count', [2, 3])
def test_validation_by_several_is_that_of_one(count: int, folders: list[Path], tmp_path: Path) -> None:
    """To the last bit, for 3 pictures: with one left over, and with none."""
    third = tmp_path / 'third'
    shutil.copytree(tmp_path / 'pictures', third / 'pictures')
    several, alone = [*folders, third][:count], tmp_path
    network = {'encoder': EncoderType.EDSR, 'decoder': DecoderType.LIIF}
    assert ranks.run_ranks(ranks.validate, several, **network) == [0] * count
    ranks.validate(alone, **network)
    expected = json.loads((alone / 'result.json').read_text())
    assert len(expected) == 4
    assert [json.loads((folder / 'result.json').read_text()) for folder in several] == [expected] * count
    strips = [file.name for file in sorted((alone / 'run' / 'samples').iterdir())]
    assert len(strips) == 2
    for name in strips:
        assert (folders[0] / 'run' / 'samples' / name).read_bytes() == (alone / 'run' / 'samples' / name).read_bytes()
    assert not (folders[1] / 'run').exists()


def test_testing_by_two_gives_the_rows_of_one(folders: list[Path], tmp_path: Path) -> None:
    trained_alone(tmp_path, epochs=1, schedule=Constant())
    for folder in folders:
        for file in tmp_path.glob('*_best.pth'):
            shutil.copy(file, folder)
    settings = {
        'recipe': 'Tiny', 'input_patch': 8, 'scale_range': (1, 2), 'benchmark': BenchmarkType.BENCHMARK,
        'valid_data_path': 'pictures', 'metrics': (QualityType.PSNR, QualityType.SSIM), 'device': 'cpu',
        'eval_scale': (2, 2.5), 'save_pictures': True,
    }  # fmt: skip
    assert ranks.run_ranks(ranks.score_twice, folders, **settings) == [0, 0]
    ranks.score_twice(tmp_path, **settings)
    differing = {'time', 'seconds_per_picture'}
    found, second, alone = (
        [
            [{name: value for name, value in row.items() if name not in differing} for row in rows]
            for rows in json.loads((folder / 'rows.json').read_text())
        ]
        for folder in (*folders, tmp_path)
    )
    assert found == second == alone
    assert len(alone[0]) == 4
    tables = [next((folder / 'results').glob('*_images.csv')) for folder in (folders[0], tmp_path)]
    assert [line.count(',') for line in tables[0].read_text().splitlines()] == [
        line.count(',') for line in tables[1].read_text().splitlines()
    ]
    pictures = [sorted(file.relative_to(folder) for file in folder.glob('results/**/*.png')) for folder in folders]
    assert len(pictures[0]) == 6
    assert not (folders[1] / 'results').exists()


@pytest.mark.parametrize('size', [1, 2, 3, 5])
def test_the_parts_of_a_batch_are_the_batch(size: int) -> None:
    def batches_of(rank: int) -> list[Any]:
        return list(EpochBatches(11, 4, epochs=2, seed=0, ranks=Ranks(rank, size)))

    whole = list(EpochBatches(11, 4, epochs=2, seed=0))
    parts = [batches_of(rank) for rank in range(size)]
    for number, batch in enumerate(whole):
        own = [parts[rank][number] for rank in range(size)]
        counted = [own[rank][: len(Ranks(rank, size).part_of(len(batch)))] for rank in range(size)]
        assert sorted(position for part in counted for position in part) == sorted(batch)
        assert all(part for part in own), 'every process has to take part'
        assert {position.batch for part in own for position in part} == {batch[0].batch}


def test_alone_nothing_is_asked_of_others() -> None:
    alone = Ranks.from_environment()
    assert alone == Ranks()
    assert (alone.is_alone, alone.is_first, list(alone.part_of(3))) == (True, True, [0, 1, 2])
    value = torch.ones(2)
    assert alone.add_up(value) is value
    assert (alone.gather(3), alone.from_first(3), alone.largest(3)) == ([3], 3, 3)
    assert list(alone.map(3, lambda index: index**2)) == [0, 1, 4]


@pytest.mark.parametrize(
    'found',
    [
        {'RANK': '2'},
        {'RANK': 'x', 'WORLD_SIZE': '2', 'LOCAL_RANK': '0'},
        {'RANK': '2', 'WORLD_SIZE': '2', 'LOCAL_RANK': '0'},
    ],
)
def test_an_impossible_environment_is_refused(found: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match='RANK, WORLD_SIZE and LOCAL_RANK must be as torchrun sets them'):
        Ranks.from_environment()


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    assert choose_device('auto', Ranks(5, 6, 1)) == choose_device('cuda', Ranks(5, 6, 1)) == torch.device('cuda:1')
    assert choose_device('cpu', Ranks(5, 6, 1)) == torch.device('cpu')
    with pytest.raises(ValueError, match="device must be 'auto', 'cuda' or 'cpu' for several processes"):
        choose_device('cuda:0', Ranks(1, 2, 1))
    with pytest.raises(ValueError, match='process 3 of this machine, which has 2 GPUs'):
        choose_device('auto', Ranks(2, 3, 2))
