"""What is wrong with the data is found before the first step, and all of it (FAULTS cases 23, 27, 29, 45)."""

import logging
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from Datasets.picture_stores import PicturesInMemory
from Models import BenchmarkType
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PictureMaker, smooth_picture
from tests.Orchestrators.test_TrainingOrchestrator import state_of, train
from tests.tiny import TrainTiny
from Utilities.images import write_png
from Utilities.resize import resize


def write_lr(files: list[Path], scales: tuple[int, ...] = (2,), folder: str = 'lr') -> None:
    for scale in scales:
        for file in files:
            hr = np.asarray(Image.open(file))
            lr = resize(hr, (hr.shape[0] // scale, hr.shape[1] // scale), 'matlab')
            write_png(Path(folder) / f'X{scale}' / f'{file.stem}x{scale}.png', lr)


def test_bad_training_and_validation_pictures_are_listed_together(make_pictures: PictureMaker) -> None:
    """Also partners; nothing is written."""
    training, valid = make_pictures(count=3), make_pictures('valid', count=3)
    write_lr(training)
    bad = [training[1], valid[1], valid[2], Path('lr/X2/picture_0x2.png')]
    for file in bad:
        # Whole to where the sizes stand, so that only decoding finds out.
        file.write_bytes(file.read_bytes()[:-60])
    for on_bad_image in ('refuse', 'skip'):
        with pytest.raises(ValueError, match='2 validation pictures can not be used') as error:
            train(valid_data='valid', valid_examples=None, train_lr_data='lr/X{scale}', on_bad_image=on_bad_image)
        assert all(str(file.name) in str(error.value) for file in bad[1:3])
        assert ('2 of 6 pictures can not be used' in str(error.value)) == (on_bad_image == 'refuse')
    assert list(Path().glob('*.pth')) == []


def test_official_lr_files_of_the_validation_are_decoded_as_well(
    make_pictures: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pictures()
    monkeypatch.setenv('ASSR_DATASETS', 'sets')
    write_lr(make_pictures('sets/Set5/HR', count=1), folder='sets/Set5/LR_bicubic')
    lr = Path('sets/Set5/LR_bicubic/X2/picture_0x2.png')
    lr.write_bytes(lr.read_bytes()[:-60])
    with pytest.raises(ValueError, match=rf'1 validation pictures can not be used:\n  {lr} is not a readable'):
        train(valid_data=BenchmarkType.Set5)


def test_a_validation_picture_too_small_for_a_scale_is_found_before(make_pictures: PictureMaker) -> None:
    make_pictures()
    Path('valid').mkdir()
    # At x3 the border of 3 pixels on both sides is all there is of the height; at x2, 2 pixels are left.
    Image.new('RGB', (40, 6)).save('valid/flat.png')
    train(epochs=1, valid_data='valid', valid_scales=(2,))
    with pytest.raises(ValueError, match=r'flat\.png is 40x6 pixels, of which none are left to compare at x3'):
        train(valid_data='valid', valid_scales=(2, 3), recipe='Other')


def test_pictures_in_both_sets_give_one_warning(make_pictures: PictureMaker, caplog: pytest.LogCaptureFixture) -> None:
    make_pictures(count=3)
    Path('valid').mkdir()
    Image.fromarray(smooth_picture(40, 48, 1)).save('valid/same.bmp')
    Image.fromarray(smooth_picture(40, 48, 9)).save('valid/other.png')
    train(epochs=1, valid_data='valid', valid_examples=None)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert 'picture_1.png equals valid/same.bmp' in warning
    assert warning.count('\n') == 1
    caplog.clear()
    Path('valid/same.bmp').unlink()
    train(epochs=1, valid_data='valid', valid_examples=None, recipe='Apart')
    assert not caplog.records or caplog.records[-1].levelno < logging.WARNING


def test_a_stop_is_heeded_between_two_pictures(make_pictures: PictureMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAULTS case 4: reading a large set takes minutes."""
    make_pictures(count=3)
    reads = []
    original = PicturesInMemory.read

    def then_stop(self: PicturesInMemory, file: Path) -> object:
        reads.append(file)
        os.kill(os.getpid(), signal.SIGTERM)
        return original(self, file)

    monkeypatch.setattr(PicturesInMemory, 'read', then_stop)
    with pytest.raises(SystemExit) as stopped:
        train()
    assert stopped.value.code == 128 + signal.SIGTERM
    assert len(reads) == 1
    assert list(Path().glob('*.pth')) == []


def test_the_place_of_decoded_pictures_changes_nothing(make_pictures: PictureMaker) -> None:
    """It may also change on resuming."""
    make_pictures()
    expected = train(save_path='memory')
    assert train(save_path='none', cache='none') == expected
    assert train(save_path='disk', cache='disk', cache_folder='cache', workers=1) == expected
    train(save_path='both', epochs=2)
    assert train(save_path='both', cache='disk', cache_folder='cache') == expected


def test_the_cache_is_where_the_user_keeps_such_things(
    make_pictures: PictureMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_pictures()
    before = sorted(Path('pictures').iterdir()), Path('pictures').stat().st_mtime_ns
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'xdg'))
    train(epochs=1, cache='disk')
    assert len(list((tmp_path / 'xdg/assr').iterdir())) == 3
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    train(epochs=1, cache='disk', recipe='Other')
    assert len(list((tmp_path / 'home/.cache/assr').iterdir())) == 3
    train(epochs=1, cache='disk', cache_folder='~/mine', recipe='Mine')
    assert len(list((tmp_path / 'home/mine').iterdir())) == 3
    assert before == (sorted(Path('pictures').iterdir()), Path('pictures').stat().st_mtime_ns)


def test_a_run_on_pairs_learns_from_the_files(make_pictures: PictureMaker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    write_lr([*make_pictures('a', count=2), *make_pictures('b', count=1)], (2, 3))
    for scale in (2, 3):
        Path(f'lr/X{scale}').rename(f'{scale}')
    settings: dict[str, Any] = {
        'train_data': ('a',),
        'train_lr_data': ('{scale}',),
        'scale_range': (1, 4),
        'valid_data': 'b',
        'epochs': 2,
    }
    on_pairs = train(**settings)
    assert 'LR files at x2, x3.' in caplog.messages
    assert train(**settings, workers=2, save_path='workers', cache='disk', cache_folder='cache') == on_pairs
    assert train(**settings | {'train_lr_data': None}, save_path='made') != on_pairs


def test_what_is_trained_on_may_not_change_on_resuming(make_pictures: PictureMaker) -> None:
    make_pictures('a', count=2)
    make_pictures('b', count=1)
    settings = {'train_data': ('a', 'b'), 'valid_data': 'a'}
    train(**settings, epochs=1, first_k=2)
    assert len(state_of(TrainTiny()).progress['data']['training pictures']) == 2
    with pytest.raises(ValueError, match='first_k: 2 in the file, 3 in the recipe'):
        train(**settings, first_k=3)
    with pytest.raises(ValueError, match='first_k: 2 in the file, None in the recipe'):
        train(**settings)
    with pytest.raises(ValueError, match=r'training pictures: picture_1\.png is missing'):
        train(**settings | {'train_data': ('b', 'a')}, first_k=2)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'train_data': ()}, 'train_data must name at least one'),
        ({'train_data': ('a', BenchmarkType.BENCHMARK)}, "train_data must be a folder's path instead of"),
        ({'train_data': ('a', 'b'), 'train_lr_data': 'x{scale}'}, 'one entry for each of train_data, got 1 and 2'),
        ({'train_lr_data': 'lr'}, r"train_lr_data must hold \{scale\} .* got 'lr'"),
        ({'first_k': 0}, 'first_k must be a whole number at least 1'),
        ({'cache': 'ram'}, "cache must be one of 'memory', 'disk', 'none', got 'ram'"),
        ({'cache_limit_gib': 0}, 'cache_limit_gib must be a finite number from'),
    ],
)
def test_impossible_data_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainTiny(**settings)


def test_one_folder_of_lr_files_is_enough_for_one_scale() -> None:
    assert TrainTiny(train_lr_data='lr', scale_range=(4, 4)).train_lr_entries == ('lr',)


@pytest.mark.parametrize(
    'name',
    [
        'with several  spaces',
        'ünïcödé',
        'l' * 251,
        os.fsdecode(b'not utf-8 \xff\xfe'),
        'brackets [1] {scale} %s',
    ],
    ids=['spaces', 'accents', 'long', 'not utf-8', 'brackets'],
)
@pytest.mark.parametrize('cache', ['memory', 'disk'])
def test_odd_names_train_like_any_other(
    name: str, cache: str, make_pictures: PictureMaker, capfd: Any, request: pytest.FixtureRequest
) -> None:
    """FAULTS case 45. With sample strips, whose names are longer still, and a log."""
    (file,) = make_pictures(count=1)
    expected = train(epochs=1, save_path='plain')
    file.rename(file.with_name(f'{name}.png'))
    recipe = {'epochs': 1, 'sample_pictures': 1, 'cache': cache, 'cache_folder': 'cache'}
    assert train(**recipe, save_path='odd') == expected
    assert len(list(Path('odd').glob('**/samples/*.png'))) == 1
    file.with_name(f'{name}.png').write_bytes(b'')
    with pytest.raises(ValueError, match='can not be used'):
        TrainingOrchestrator(TrainTiny(save_path='bad')).train()
    assert 'Logging error' not in capfd.readouterr().err
    # What pytest keeps of the log would be sent to the main process, which takes UTF-8 only.
    request.config.pluginmanager.get_plugin('logging-plugin').report_handler.reset()
