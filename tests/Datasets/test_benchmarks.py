"""Where benchmarks are found, and how HR and LR pair (FAULTS case 28)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from Configuration.protocols import LIIF
from Datasets import photographs
from Datasets.BenchmarkImages import BenchmarkImages
from Datasets.benchmarks import BENCHMARKS, hr_files, list_pictures, official_lr_folder, training_files
from Datasets.pairing import find_partners
from Models import BenchmarkType
from tests.conftest import PictureMaker, smooth_picture
from Utilities.resize import resize


def write_pair(root: Path, name: str, scale: int, *, size: tuple[int, int] = (24, 36), gray: bool = False) -> None:
    hr = smooth_picture(*size, 0)
    lr = resize(
        hr[: size[0] // scale * scale, : size[1] // scale * scale], (size[0] // scale, size[1] // scale), 'matlab'
    )
    for folder, file, pixels in (('HR', f'{name}.png', hr), (f'LR_bicubic/X{scale}', f'{name}x{scale}.png', lr)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(pixels)
        (picture.convert('L') if gray else picture).save(root / folder / file)


def test_the_embedded_photographs_are_split_and_credited() -> None:
    training, held_out = photographs.photograph_files('training'), photographs.photograph_files('held-out')
    assert [file.name for file in held_out] == ['astronaut.png', 'chelsea.png']
    assert len(training) == 5
    assert all(photograph.credit for photograph in photographs.PHOTOGRAPHS)
    assert hr_files(BenchmarkType.Photographs) == held_out
    assert training_files(BenchmarkType.Photographs) == training


def test_another_picture_under_the_name_of_a_photograph_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'data').mkdir()
    for photograph in photographs.PHOTOGRAPHS:
        Image.new('RGB', (4, 4)).save(tmp_path / 'data' / photograph.file)
    monkeypatch.setattr(photographs.importlib.resources, 'files', lambda _: tmp_path)
    with pytest.raises(ValueError, match=r'coffee\.png is not the picture that results are compared on'):
        photographs.photograph_files('training')


@pytest.mark.parametrize('benchmark', [name for name, row in BENCHMARKS.items() if row.hr_folders])
def test_a_missing_benchmark_says_what_to_put_where(benchmark: BenchmarkType) -> None:
    with pytest.raises(FileNotFoundError, match='There is no folder datasets/') as error:
        hr_files(benchmark)
    assert benchmark.name in str(error.value)
    assert 'ASSR_DATASETS' in str(error.value)


def test_missing_training_pictures_say_what_to_put_where() -> None:
    with pytest.raises(FileNotFoundError, match='no folder datasets/DIV2K/DIV2K_train_HR. Put the training pictures'):
        training_files(BenchmarkType.DIV2K)
    with pytest.raises(ValueError, match=r'Set5 has no training pictures. train_data may be DIV2K, Photographs'):
        training_files(BenchmarkType.Set5)


def test_benchmarks_are_found_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pair(tmp_path / 'elsewhere' / 'Set5', 'baby', 2)
    monkeypatch.setenv('ASSR_DATASETS', str(tmp_path / 'elsewhere'))
    (file,) = hr_files(BenchmarkType.Set5)
    assert file == tmp_path / 'elsewhere/Set5/HR/baby.png'
    assert official_lr_folder(BenchmarkType.Set5, 2) == tmp_path / 'elsewhere/Set5/LR_bicubic/X2'
    assert official_lr_folder(BenchmarkType.Set5, 3) is None
    assert official_lr_folder(BenchmarkType.Set5, 2.5) is None


def test_official_lr_files_are_the_input_and_hr_is_cropped_to_them(tmp_path: Path) -> None:
    write_pair(tmp_path, 'a', 3, size=(25, 38))
    (pair,) = BenchmarkImages([tmp_path / 'HR/a.png'], 3, lr_folder=tmp_path / 'LR_bicubic/X3')
    assert pair.lr.shape == (1, 3, 8, 12)
    assert pair.hr.shape == (1, 3, 24, 36)


@pytest.mark.parametrize('scale', [1, 2, 2.7, 3.5, 8, 30])
def test_lr_made_on_the_fly_has_the_right_sizes(make_pictures: PictureMaker, scale: float) -> None:
    (pair,) = BenchmarkImages(make_pictures(count=1, height=64, width=77), scale)
    height, width = pair.lr.shape[-2:]
    assert (height, width) == (int(64 / scale), int(77 / scale))
    assert pair.hr.shape[-2:] == (round(height * scale), round(width * scale))


def test_where_official_files_are_missing_they_are_made_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pair(tmp_path / 'Set5', 'baby', 2)
    monkeypatch.setenv('ASSR_DATASETS', str(tmp_path))
    files = hr_files(BenchmarkType.Set5)
    official = BenchmarkImages.of_protocol(BenchmarkType.Set5, files, 2)
    assert official.lr_source == 'files'
    expected = official[0]
    for file in (tmp_path / 'Set5/LR_bicubic/X2').iterdir():
        file.unlink()
    (tmp_path / 'Set5/LR_bicubic/X2').rmdir()
    made = BenchmarkImages.of_protocol(BenchmarkType.Set5, files, 2)
    assert made.lr_source == 'matlab bicubic'
    assert torch.equal(made[0].lr, expected.lr)
    assert BenchmarkImages.of_protocol(BenchmarkType.Set5, files, 6).lr_source == 'pillow bicubic'


def test_a_picture_smaller_than_the_scale_is_refused(make_pictures: PictureMaker) -> None:
    files = make_pictures(count=1, height=8, width=20)
    with pytest.raises(ValueError, match=r'picture_0\.png is 20x8 pixels, too small to be reduced by 12'):
        BenchmarkImages(files, 12)[0]


def test_every_mismatched_pair_is_listed(tmp_path: Path) -> None:
    for name in ('good', 'lonely', 'wrong', 'gray', 'twice'):
        write_pair(tmp_path, name, 2)
    lr = tmp_path / 'LR_bicubic/X2'
    (lr / 'lonelyx2.png').unlink()
    Image.new('RGB', (10, 10)).save(lr / 'wrongx2.png')
    Image.open(tmp_path / 'HR/gray.png').convert('L').save(tmp_path / 'HR/gray.png')
    Image.open(lr / 'twicex2.png').save(lr / 'twicex2.bmp')
    files = sorted((tmp_path / 'HR').iterdir())
    with pytest.raises(ValueError, match='HR and LR pictures at x2 do not pair') as error:
        BenchmarkImages(files, 2, lr_folder=lr)
    text = str(error.value)
    assert 'lonely.png has no partner lonelyx2 or lonely in' in text
    assert 'wrongx2.png is 10x10, which is not 36x24 over 2' in text
    assert 'grayx2.png has colors, but' in text
    assert 'twice.png has 2 partners' in text
    assert 'good' not in text


PAIRS = [
    # HR, LR, scale.
    ('a', 'a', 2), ('a', 'ax2', 2), ('a', 'aX2', 2), ('a', 'a_x2', 2), ('a', 'a_X2', 2), ('a', 'a-x2', 2),
    ('a', 'a_LR', 2), ('a', 'a_lr', 2), ('a', 'a_LRx2', 2), ('a', 'a_LR_x2', 2), ('a', 'a_x2_LR', 2),
    ('a_HR', 'a', 2), ('a_HR', 'a_LR', 2), ('a_HR', 'ax2', 2), ('a_HR', 'a_HRx2', 2), ('a_HR', 'a_HR', 2),
    ('Canon_001_HR', 'Canon_001_LR4', 4), ('Nikon_050_HR', 'Nikon_050_LR2', 2),
    ('img_001_SRF_2_HR', 'img_001_SRF_2_LR', 2), ('img_001', 'img_001_SRF_2_LR', 2), ('img_001', 'img_001_SRF_2', 2),
    ('0801', '0801x3', 3),
]  # fmt: skip
STRANGERS = [
    # Of another scale, of another picture, of none.
    ('a', 'ax3', 2), ('a', 'a_LR3', 2), ('a', 'a2', 2), ('a', 'b', 2), ('a', 'a_bicubic', 2), ('a', 'ab_LR', 2),
    ('00', '001x2', 2), ('001', '01x2', 2), ('img_001_SRF_2_HR', 'img_001_SRF_4_LR', 2), ('a', 'a_LRx2_new', 2),
]  # fmt: skip


def pair(hr: Sequence[str], lr: Sequence[str], scale: int) -> list[str]:
    """Names of the partners of HR files, in a folder with these LR files; a name is a path below its folder."""
    for folder, names, size in (('hr', hr, (24, 24)), ('lr', lr, (24 // scale, 24 // scale))):
        Path(folder).mkdir(exist_ok=True)
        for name in names:
            Image.new('RGB', size).save(Path(folder) / (name if '.' in name else f'{name}.png'))
    return [file.stem for file in find_partners(list_pictures('hr', 'pictures'), Path('lr'), scale)]


@pytest.mark.parametrize(('hr', 'lr', 'scale'), PAIRS)
def test_lr_files_are_found_by_the_names_that_data_sets_give_them(hr: str, lr: str, scale: int) -> None:
    """Beside files of another scale and picture."""
    others = [name.replace('a', 'other') for name in ('ax2', 'a_LR')] + [f'{hr}x7', f'{hr}_LR7']
    assert pair([hr], [lr, *others], scale) == [lr]


@pytest.mark.parametrize(('hr', 'lr', 'scale'), STRANGERS)
def test_names_that_only_look_alike_do_not_pair(hr: str, lr: str, scale: int) -> None:
    with pytest.raises(ValueError, match=rf'{hr}\.png has no partner {hr}x{scale} or {hr} in lr'):
        pair([hr], [lr], scale)


def test_in_one_folder_a_picture_is_not_its_own_partner() -> None:
    """As SelfExSR's are; a pattern tells which are HR."""
    for name, side in (('a_SRF_2_HR', 24), ('a_SRF_2_LR', 12), ('b_SRF_2_HR', 24), ('b_SRF_2_LR', 12)):
        Path('both').mkdir(exist_ok=True)
        Image.new('RGB', (side, side)).save(f'both/{name}.png')
    partners = find_partners(list_pictures('both/*_HR.png', 'pictures'), 'both', 2)
    assert [file.name for file in partners] == ['a_SRF_2_LR.png', 'b_SRF_2_LR.png']


@pytest.mark.parametrize(
    ('hr', 'lr', 'message'),
    [
        (['a'], ['ax2', 'a_LR'], r'hr/a\.png has 2 partners: lr/a_LR\.png, lr/ax2\.png'),
        (['a'], ['a', 'aX2'], r'hr/a\.png has 2 partners: lr/a\.png, lr/aX2\.png'),
        (['a'], ['ax2.png', 'ax2.bmp'], r'hr/a\.png has 2 partners'),
        (['a', 'a_HR'], ['ax2'], r'lr/ax2\.png may belong to hr/a\.png or to hr/a_HR\.png'),
        (['a', 'ax2'], ['ax2'], r'lr/ax2\.png may belong to hr/a\.png or to hr/ax2\.png'),
    ],
)
def test_names_that_pair_in_two_ways_are_refused(hr: list[str], lr: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pair(hr, lr, 2)


def test_the_whole_name_goes_before_the_one_without_its_ending() -> None:
    assert pair(['a', 'a_HR'], ['ax2', 'a_HRx2'], 2) == ['ax2', 'a_HRx2']


def test_two_hr_files_of_one_name_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, 'a', 2)
    Image.open(tmp_path / 'HR/a.png').save(tmp_path / 'HR/a.bmp')
    with pytest.raises(ValueError, match=r'a\.bmp and .*a\.png have the same name'):
        BenchmarkImages(sorted((tmp_path / 'HR').iterdir()), 2, lr_folder=tmp_path / 'LR_bicubic/X2')


def test_a_gray_pair_is_read_as_three_equal_channels(tmp_path: Path) -> None:
    """As Set14's bridge."""
    write_pair(tmp_path, 'bridge', 2, gray=True)
    (pair,) = BenchmarkImages([tmp_path / 'HR/bridge.png'], 2, lr_folder=tmp_path / 'LR_bicubic/X2')
    assert np.array_equal(pair.hr[0, 0], pair.hr[0, 2])


@pytest.mark.parametrize(('scale', 'border'), [(2, 2), (2.7, 3), (4, 4)])
def test_borders_are_those_of_the_protocol(scale: float, border: int) -> None:
    assert LIIF.border_px(BENCHMARKS[BenchmarkType.Set5].kind, scale) == border
    assert LIIF.border_px(BENCHMARKS[BenchmarkType.DIV2K].kind, scale) == border + 6
