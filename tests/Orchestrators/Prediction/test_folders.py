"""Folders as they are on people's disks: bad files, hidden ones, subfolders, results that are half there."""

import itertools
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import Orchestrators.Prediction.upscaling
from Datasets.benchmarks import hr_files, list_pictures, training_files
from Datasets.pairing import find_partners
from Models import BenchmarkType
from Orchestrators.Prediction.upscaling import parse_scale, upscale_files
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PATIENCE, smooth_picture
from tests.tiny import TrainTiny
from tests.Utilities.test_images import broken_files
from Utilities.command_line import RunFailedError

ROOT = Path(__file__).parents[3]
HIDDEN = ('._picture_0.png', '.DS_Store', '.hidden.png', '._.jpg')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp('trained')
    write(folder / 'pictures', 'a', 'b', 'c')
    pictures = str(folder / 'pictures')
    TrainingOrchestrator(TrainTiny(epochs=1, train_data=pictures, valid_data=pictures, save_path=str(folder))).train()
    (found,) = folder.glob('*_best.pth')
    return str(found)


def write(folder: Path, *names: str, size: tuple[int, int] = (24, 32)) -> list[Path]:
    files = [folder / (name if '.' in name else f'{name}.png') for name in names]
    for seed, file in enumerate(files):
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(smooth_picture(*size, seed)).save(file)
    return files


def hide(folder: Path) -> None:
    """As macOS does; what is in them is no picture."""
    for name in HIDDEN:
        (folder / name).write_bytes(b'\x00\x05\x16\x07Mac OS X')


def upscale(checkpoint: str, *inputs: str, **settings: Any) -> list[str]:
    written = upscale_files(inputs, checkpoint=checkpoint, device='cpu', **{'scale': 2} | settings)
    return [str(file) for file in written]


# Bad files


@pytest.mark.parametrize('place', ['first', 'middle', 'last'])
def test_the_rest_of_a_folder_is_made_and_all_bad_files_are_named_at_the_end(
    place: str, checkpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Files that are bad by their headers, by their pixels, or for the memory."""
    write(Path('own'), 'm', 'n')
    bad = broken_files(Path('own'))
    for number, file in enumerate(bad):
        name = {'first': 'a', 'middle': 'mm', 'last': 'z'}[place] + f'{number}{file.name}'
        bad[number] = file.rename(file.with_name(name))
    with pytest.raises(RunFailedError) as error:
        upscale(checkpoint, 'own', output='made')
    assert sorted(file.name for file in Path('made').iterdir()) == ['m_sr.png', 'n_sr.png']
    assert f'{len(bad)} of {len(bad) + 2} pictures could not be upscaled' in str(error.value)
    assert [file for file in bad if str(file) not in str(error.value)] == []


def test_a_picture_that_fails_while_it_is_made_does_not_end_the_others(
    checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Path('own'), 'a', 'b', 'c', 'd')
    original, calls = Orchestrators.Prediction.upscaling.write_upscaled, itertools.count(1)
    errors = {1: MemoryError(), 3: PermissionError(13, 'Permission denied')}

    def fail(*arguments: Any) -> None:
        if (error := errors.get(next(calls))) is not None:
            raise error
        original(*arguments)

    monkeypatch.setattr(Orchestrators.Prediction.upscaling, 'write_upscaled', fail)
    with pytest.raises(RunFailedError, match=r'2 of 4 .*\n.*a\.png .*out of memory.*\n.*c\.png: .*Permission') as error:
        upscale(checkpoint, 'own')
    assert 'b.png' not in str(error.value)
    assert sorted(file.name for file in Path('own').glob('*_sr.png')) == ['b_sr.png', 'd_sr.png']


def test_a_full_disk_ends_it_at_once(checkpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(Path('own'), 'a', 'b')
    calls = itertools.count()

    def fail(*_: Any) -> None:
        next(calls)
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(Orchestrators.Prediction.upscaling, 'write_upscaled', fail)
    with pytest.raises(OSError, match='No space left'):
        upscale(checkpoint, 'own')
    assert next(calls) == 1


def test_the_command_ends_with_status_1_after_the_rest(checkpoint: str) -> None:
    write(Path('own'), 'a', 'c')
    Path('own/b.png').write_bytes(b'no picture')
    hide(Path('own'))
    done = subprocess.run(
        [sys.executable, str(ROOT / 'upscale.py'), 'own', '--scale', 'x2', '--checkpoint', checkpoint],
        env=os.environ | {'PYTHONPATH': str(ROOT)}, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith('Wrote 2, left out 4: hidden: ')]
    assert 'error: 1 of 3 pictures could not be upscaled:\n  own/b.png is not a readable picture' in done.stderr
    assert sorted(file.name for file in Path('own').glob('*_sr.png')) == ['a_sr.png', 'c_sr.png']


# Hidden files

USERS = {
    'a folder': lambda: list_pictures('own', 'pictures'),
    'a pattern': lambda: list_pictures('own/*', 'pictures'),
    'a pattern of folders': lambda: list_pictures('ow[n]', 'pictures'),
    'training': lambda: training_files('own'),
    'HR of a test': lambda: hr_files(BenchmarkType.BENCHMARK, 'own'),
    'LR of a test': lambda: (
        find_partners([Path('own/a.png'), Path('own/b.png')], Path('lr'), 2) and [Path('own/a.png')]
    ),
}


@pytest.mark.parametrize('user', USERS)
def test_hidden_files_are_no_pictures_anywhere(user: str) -> None:
    write(Path('own'), 'a', 'b')
    write(Path('lr'), 'a', 'b', size=(12, 16))
    hide(Path('own'))
    hide(Path('lr'))
    found = USERS[user]()
    assert [file for file in found if file.name.startswith('.')] == []
    assert found[0] == Path('own/a.png')


def test_a_run_learns_and_is_tested_beside_hidden_files() -> None:
    write(Path('pictures'), 'a', 'b', size=(40, 48))
    hide(Path('pictures'))
    TrainingOrchestrator(TrainTiny(epochs=1)).train()
    assert len(list(Path().glob('*_last.pth'))) == 1


def test_a_folder_of_hidden_files_alone_says_so(checkpoint: str) -> None:
    Path('own').mkdir()
    hide(Path('own'))
    with pytest.raises(FileNotFoundError, match=r'holds none of them: \.DS_Store'):
        list_pictures('own', 'pictures')
    with pytest.raises(ValueError, match=r'no pictures to upscale .* in own, left out 4: hidden: own/\.'):
        upscale(checkpoint, 'own')


# What is left out is said


def said(caplog: pytest.LogCaptureFixture) -> str:
    return next(text for text in caplog.messages if text.startswith('Wrote '))


def test_what_is_left_out_is_said_with_its_reason(checkpoint: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    write(Path('own'), 'a', 'b', 'c_sr', 'inner/d')
    hide(Path('own'))
    Path('own/notes.txt').write_text('')
    assert upscale(checkpoint, 'own') == ['own/a_sr.png', 'own/b_sr.png']
    text = said(caplog)
    assert text.startswith('Wrote 2, left out 7: ')
    for part in (
        'hidden: own/.DS_Store', 'no pictures by their endings: own/notes.txt',
        'results of an earlier call: own/c_sr.png', 'in subfolders (see --recursive): own/inner/',
    ):  # fmt: skip
        assert part in text


def test_where_nothing_is_left_out_nothing_is_said_of_it(checkpoint: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    write(Path('own'), 'a', 'b')
    upscale(checkpoint, 'own')
    assert said(caplog) == 'Wrote 2.'


# Subfolders, and folders half done


def test_subfolders_are_taken_with_recursive_and_keep_their_names(checkpoint: str) -> None:
    write(Path('own'), 'a', 'x/a', 'x/y/b', '.git/c.png')
    Path('own/loop').symlink_to(Path('own').resolve())
    assert upscale(checkpoint, 'own', recursive=True, output='made') == [
        'made/a_sr.png', 'made/x/a_sr.png', 'made/x/y/b_sr.png',
    ]  # fmt: skip
    assert upscale(checkpoint, 'own', recursive=True) == ['own/a_sr.png', 'own/x/a_sr.png', 'own/x/y/b_sr.png']
    # A second time, into the folder itself: results are no inputs.
    write(Path('own'), 'x/z')
    assert upscale(checkpoint, 'own', recursive=True, skip_existing=True) == ['own/x/z_sr.png']


@pytest.mark.parametrize('output', [None, 'made'])
def test_a_half_done_folder_is_continued(output: str | None, checkpoint: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    files = write(Path('own'), 'a', 'b', 'c')
    there = upscale(checkpoint, str(files[1]), output=output)
    if output is not None:
        Path('made').mkdir(exist_ok=True)
    content = Path(there[0]).read_bytes()
    time = Path(there[0]).stat().st_mtime_ns
    caplog.clear()
    written = upscale(checkpoint, 'own', output=output, skip_existing=True)
    assert [Path(file).name for file in written] == ['a_sr.png', 'c_sr.png']
    assert (Path(there[0]).read_bytes(), Path(there[0]).stat().st_mtime_ns) == (content, time)
    assert f'there already: {there[0]}' in said(caplog)


def test_a_result_of_another_size_is_not_taken_for_the_one_asked_for(checkpoint: str) -> None:
    write(Path('own'), 'a', 'b')
    upscale(checkpoint, 'own/a.png', scale=3)
    with pytest.raises(RunFailedError, match=r'1 of 2 .*\n  .*a_sr\.png exists, but is 96x72 and not 64x48') as error:
        upscale(checkpoint, 'own', skip_existing=True)
    assert 'Give --overwrite' in str(error.value)
    assert Path('own/b_sr.png').exists()
    with pytest.raises(ValueError, match='either --overwrite or --skip-existing'):
        upscale(checkpoint, 'own', skip_existing=True, overwrite=True)


# Patterns, homes, limits, scales


def test_patterns_and_the_home_are_understood(checkpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quoted, or on Windows, whose shell leaves patterns as they are."""
    write(Path('home/own'), 'a', 'b', 'c.jpg', '[d]')
    hide(Path('home/own'))
    monkeypatch.setenv('HOME', str(Path('home').resolve()))
    home = Path('home').resolve()
    assert list_pictures('~/own', 'pictures') == [
        home / 'own' / name for name in ('[d].png', 'a.png', 'b.png', 'c.jpg')
    ]
    assert [file.name for file in training_files('~/own/*.png')] == ['[d].png', 'a.png', 'b.png']
    assert [file.name for file in training_files('home/*')] == ['[d].png', 'a.png', 'b.png', 'c.jpg']
    assert [Path(file).name for file in upscale(checkpoint, 'home/own/[ab].png')] == ['a_sr.png', 'b_sr.png']
    # A file of that very name comes first.
    assert [Path(file).name for file in upscale(checkpoint, '~/own/[d].png', output='~/made')] == ['[d]_sr.png']
    assert (home / 'made/[d]_sr.png').exists()
    with pytest.raises(FileNotFoundError, match=r'nowhere/\*\.png should hold .*, but there is no such file'):
        training_files('nowhere/*.png')
    with pytest.raises(FileNotFoundError, match=r'There is no picture or folder nowhere/\*\.png'):
        upscale(checkpoint, 'nowhere/*.png')


@pytest.mark.parametrize('setting', ['train_data', 'valid_data', 'train_lr_data'])
def test_an_empty_name_is_not_the_current_folder(setting: str) -> None:
    write(Path(), 'a', 'b', size=(40, 48))
    write(Path('pictures'), 'a', size=(40, 48))
    with pytest.raises(ValueError, match=rf"{setting}.*got ''"):
        TrainingOrchestrator(TrainTiny(**{'scale_range': (2, 2), 'epochs': 1} | {setting: ''})).train()


def test_an_empty_input_is_no_folder(checkpoint: str) -> None:
    write(Path(), 'a')
    with pytest.raises(FileNotFoundError, match="There is no picture or folder ''"):
        upscale(checkpoint, '')


def test_a_larger_input_is_allowed_by_the_option_that_the_message_names(checkpoint: str) -> None:
    write(Path('own'), 'a')
    with pytest.raises(
        ValueError, match=r'768 pixels, more than max_image_pixels = 767.*\(upscale\.py: --max-image-pix'
    ):
        upscale(checkpoint, 'own', max_image_pixels=767)
    assert upscale(checkpoint, 'own', max_image_pixels=768) == ['own/a_sr.png']
    with pytest.raises(ValueError, match='--max-image-pixels must be at least 1, got 0'):
        upscale(checkpoint, 'own', max_image_pixels=0)


def test_no_limit_of_pillow_s_is_in_the_way(checkpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which refuses what has more than twice this many, whatever our option says."""
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    write(Path('own'), 'a')
    assert upscale(checkpoint, 'own', max_image_pixels=1000) == ['own/a_sr.png']
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize(('text', 'scale'), [('2.5', 2.5), ('x2', 2), ('X3', 3), ('4x', 4), (' 2 ', 2), ('1e1', 10)])
def test_a_scale_is_understood_with_its_sign(text: str, scale: float) -> None:
    assert parse_scale(text) == scale


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('2,5', r"write 2\.5, got '2,5'"), ('x2,75', r"write 2\.75, got 'x2,75'"), ('', 'such as 3.7'),
        ('two', 'such as'), ('2x3', 'for both axes'),
        ('nan', 'positive'), ('inf', 'positive'), ('-2', 'positive'), ('0', 'positive'),
    ],
)  # fmt: skip
def test_a_scale_that_is_none_says_how_one_is_written(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_scale(text)


@pytest.mark.parametrize(
    ('settings', 'told'),
    [({'scale': 8}, False), ({'scale': 8.2}, True), ({'scale': 64}, True), ({'size': (32 * 9, 24)}, True),
     ({'size': (32, 24 * 8)}, False), ({'scale': 0.5}, False)],
)  # fmt: skip
def test_a_scale_far_beyond_training_is_said_once(
    settings: dict[str, Any], told: bool, checkpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The network is for x1 to x2."""
    write(Path('own'), 'a', 'b')
    upscale(checkpoint, 'own', **{'scale': None} | settings)
    found = [
        text for text in caplog.messages if 'far beyond the scales that EDSR-LIIF was trained for, x1 to x2' in text
    ]
    assert len(found) == told


def test_a_photo_is_upscaled_without_a_file(checkpoint: str) -> None:
    """What the command writes, for those who show it themselves."""
    import torch

    from Models import TestingStrategy
    from Orchestrators.Prediction.strategies import predictor_of
    from Orchestrators.Prediction.trained_model import load_trained_model
    from Orchestrators.Prediction.upscaled_pictures import upscale_photo
    from Utilities.images import read_image

    model = load_trained_model(Path(checkpoint), torch.device('cpu'))
    predict = predictor_of(model.network, TestingStrategy.Simple, torch.device('cpu'), None)
    for mode in ('L', 'LA', 'RGB', 'RGBA'):
        picture = Image.fromarray(smooth_picture(20, 30, 0)).convert(mode)
        if 'A' in mode:
            picture.putalpha(Image.linear_gradient('L').resize((30, 20)))
        picture.save(f'{mode}.png', dpi=(300, 300))
        photo = upscale_photo(predict, read_image(f'{mode}.png'), (53, 77))
        (written,) = upscale(checkpoint, f'{mode}.png', scale=None, size=(77, 53))
        expected = read_image(written)
        assert photo.pixels.shape == (53, 77, 3)
        assert np.array_equal(photo.pixels, expected.pixels)
        assert photo.is_gray == expected.is_gray == mode.startswith('L')
        assert (photo.alpha is None) == (expected.alpha is None) == ('A' not in mode)
        if photo.alpha is not None:
            assert np.array_equal(photo.alpha, expected.alpha)
        assert photo.metadata == read_image(f'{mode}.png').metadata
