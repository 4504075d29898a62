import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from Orchestrators.Evaluation.color import luma
from Orchestrators.Evaluation.scoring import shave
from Orchestrators.Training.averages import RunningMean
from Orchestrators.Training.pictures import labeled_strip, most_detailed_window
from Orchestrators.Training.Run import Run
from Utilities.command_line import RunFailedError, run_command
from Utilities.coordinates import cell_of, coordinates_of, nearest_pixel, pixel_centers, relative_cell
from Utilities.devices import choose_device
from Utilities.reports import append_csv, format_table
from Utilities.seeding import Streams, generator_for


def test_pixel_centers_by_hand() -> None:
    assert pixel_centers(4).tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert pixel_centers(1).tolist() == [0.0]
    assert coordinates_of(pixel_centers(1), pixel_centers(2)).tolist() == [[0.0, -0.5], [0.0, 0.5]]


def test_cells_by_hand() -> None:
    cell = cell_of((8, 16), batch=2)
    assert cell.tolist() == [[0.25, 0.125]] * 2
    # 4x4 pixels to 8x16: scales 2 and 4, so an HR pixel is 1 and 0.5 where an LR pixel is 2.
    assert relative_cell(cell, (4, 4)).tolist() == [[1.0, 0.5]] * 2


def test_every_pixel_center_is_nearest_to_its_pixel() -> None:
    for count in (1, 2, 5, 48, 511):
        assert torch.equal(nearest_pixel(pixel_centers(count), count), torch.arange(count))


def test_luma_by_hand() -> None:
    """White is 235 and black 16; pure green is 16 + 128.553."""
    image = torch.tensor([[1.0, 1, 1], [0, 0, 0], [0, 1, 0]]).T.reshape(1, 3, 1, 3)
    torch.testing.assert_close(luma(image)[0, 0, 0] * 255, torch.tensor([235.0, 16.0, 144.553]))


def test_shaving_cuts_each_side_and_refuses_to_cut_all() -> None:
    image = torch.arange(36.0).reshape(1, 1, 6, 6)
    assert shave(image, 2).flatten().tolist() == [14, 15, 20, 21]
    with pytest.raises(ValueError, match='leaves nothing of a picture of 6x6'):
        shave(image, 3)


def test_streams_of_random_numbers_are_apart_and_repeatable() -> None:
    draws = {
        tuple(generator_for(*key).integers(0, 2**63, 4).tolist())
        for key in [
            (0, 'sample', 1, 2),
            (0, 'sample', 2, 1),
            (0, 'order', 1, 2),
            (1, 'sample', 1, 2),
            (0, 'sample', 12),
        ]
    }
    assert len(draws) == 5
    assert generator_for(0, 'sample', 1, 2).integers(0, 2**63, 4).tolist() == next(
        list(draw) for draw in draws if draw == tuple(generator_for(0, 'sample', 1, 2).integers(0, 2**63, 4).tolist())
    )


def test_a_moved_generator_is_the_one_made_anew() -> None:
    """Whatever was drawn before: half a word of 32 bits is left over by the odd number of draws."""
    streams = Streams(2**63 - 1, 'sample')
    for position in [(1, 0), (1, 2**40), (7, 3), (1, 0)]:
        for random in (moved := streams.at(*position), made := generator_for(2**63 - 1, 'sample', *position)):
            random.integers(2, size=3)
            random.choice(100, 7, replace=False, shuffle=False)
        assert (
            moved.integers(0, 2**31, 5, dtype=np.uint32).tolist()
            == made.integers(0, 2**31, 5, dtype=np.uint32).tolist()
        )
        assert moved.uniform(1, 4) == made.uniform(1, 4)


def test_a_running_mean_weighs_by_counts_and_survives_a_checkpoint() -> None:
    mean = RunningMean()
    assert np.isnan(mean.read())
    mean.add(torch.tensor(1.0), 3)
    restored = RunningMean()
    restored.load_state_dict(mean.state_dict())
    restored.add(5.0, 1)
    assert restored.read() == 2.0


def test_csv_rows_are_appended_under_one_header(tmp_path: Path) -> None:
    file = tmp_path / 'results' / 'a.csv'
    append_csv(file, [{'name': 'a, b', 'PSNR': 30.5}])
    append_csv(file, [{'name': 'c', 'PSNR': None}])
    with file.open(newline='') as opened:
        assert list(csv.DictReader(opened)) == [{'name': 'a, b', 'PSNR': '30.5'}, {'name': 'c', 'PSNR': ''}]
    before = file.read_bytes()
    with pytest.raises(ValueError, match=r'a\.csv has other columns than this version writes: name, PSNR'):
        append_csv(file, [{'other': 1}])
    assert file.read_bytes() == before


def test_a_table_is_aligned() -> None:
    table = format_table(['scale', 'method', 'PSNR'], [['x2', 'bicubic', '9.1'], ['', 'ours', '10.25']])
    assert table.splitlines() == [
        'scale  method    PSNR',
        '─────  ───────  ─────',
        'x2     bicubic    9.1',
        '       ours     10.25',
    ]


def test_the_most_detailed_window_is_found() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[40:48:2, 20:30] = 255
    top, left = most_detailed_window(picture, 16)
    assert top <= 40 <= top + 16
    assert left <= 20 <= left + 16
    assert labeled_strip([('LR', picture), ('HR', picture)], 32).shape[1] == 2 * 32 + 6


def test_an_unknown_device_is_refused() -> None:
    for setting in ('gpu', 'gpu0', 'cuda:99', ''):
        with pytest.raises(
            ValueError, match="device must be 'auto', 'cpu' or a device of this machine, got '"
        ) as error:
            choose_device(setting)
        # torch's own text lists twenty kinds of devices.
        assert f"got '{setting}'. This machine has " in str(error.value)
        assert len(str(error.value)) < 250


# The folder of a run (FAULTS cases 9 and 41)


def test_a_folder_that_can_not_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'occupied').write_text('a file')
    for folder in (tmp_path / 'occupied', tmp_path / 'occupied' / 'run', Path('/proc/run')):
        with pytest.raises(ValueError, match='but can not') as error:
            with Run.start(folder, torch.device('cpu')):
                pass
        assert str(folder) in str(error.value)


HOLD = (
    'import sys, torch, time; from pathlib import Path; from Orchestrators.Training.Run import Run\n'
    'with Run.start(Path(sys.argv[1]), torch.device("cpu")):\n'
    '    print("held", flush=True); time.sleep(60)\n'
)


def test_a_second_run_in_one_folder_is_refused_and_a_killed_one_is_no_obstacle(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    environment = os.environ | {'PYTHONPATH': str(root)}
    arguments = [sys.executable, '-c', HOLD, str(tmp_path / 'run')]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment, cwd=tmp_path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b'held\n'
        with pytest.raises(ValueError, match=f'is in use by process {holder.pid} on'):
            with Run.start(tmp_path / 'run', torch.device('cpu')):
                pass
        holder.kill()
        holder.wait()
    with Run.start(tmp_path / 'run', torch.device('cpu')) as run:
        assert run.folder == tmp_path / 'run'


# What the scripts share


@pytest.mark.parametrize(
    ('error', 'code'),
    [(ValueError('epochs must be 1'), 2), (FileNotFoundError('no DIV2K'), 2), (RunFailedError('disk full'), 1)],
)
def test_an_error_is_one_line_and_an_exit_code(error: Exception, code: int, caplog: pytest.LogCaptureFixture) -> None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as stop:
        run_command(main, show_traceback=False)
    assert stop.value.code == code
    assert caplog.records[-1].getMessage() == f'error: {error}'
    with pytest.raises(type(error)):
        run_command(main, show_traceback=True)


def test_an_unknown_argument_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'argv', ['train.py', '--epochs'])
    with pytest.raises(SystemExit, match=r"takes no argument but --debug, got '--epochs'"):
        run_command(lambda: None)
