"""Several folders at once, the first k pictures, and LR partners by name (FAULTS case 28)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from Datasets.ImageFolder import find_training_files
from Models import BenchmarkType
from tests.conftest import PictureMaker

SCALES = (1.0, 4.0)


def names(files: list[Path]) -> list[str]:
    return [f'{file.parent.name}/{file.name}' for file in files]


def write_pairs(root: Path, stems: list[str], scales: list[int], *, name: str = '{stem}x{scale}') -> None:
    """HR of 26x37 pixels, so that no scale but 1 divides both sides, and LR rounded down."""
    random = np.random.default_rng(0)
    for stem in stems:
        for scale in [1, *scales]:
            folder = root / ('HR' if scale == 1 else f'LR/X{scale}')
            folder.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 256, (26 // scale, 37 // scale, 3), dtype=np.uint8)
            file = f'{stem}.png' if scale == 1 else name.format(stem=stem, scale=scale) + '.png'
            Image.fromarray(pixels).save(folder / file)


def test_files_come_in_the_given_order_and_then_by_name(make_pictures: PictureMaker) -> None:
    make_pictures('b', count=2)
    make_pictures('a', count=2)
    expected = ['b/picture_0.png', 'b/picture_1.png', 'a/picture_0.png', 'a/picture_1.png']
    assert names(find_training_files(('b', 'a'), None, SCALES).hr) == expected
    photographs = find_training_files((BenchmarkType.Photographs, 'a'), None, SCALES).hr
    assert names(photographs[-2:]) == expected[2:]
    assert len(photographs) == 5 + 2


@pytest.mark.parametrize('entries', [('a', 'a'), ('a', './b/../a'), ('a', 'link')])
def test_a_file_given_twice_is_refused_by_name(entries: tuple[str, ...], make_pictures: PictureMaker) -> None:
    make_pictures('a', count=2)
    make_pictures('b', count=1)
    Path('link').symlink_to('a')
    with pytest.raises(ValueError, match='2 of the training pictures are given twice') as error:
        find_training_files(entries, None, SCALES)
    assert f'{entries[1]}/picture_1.png'.removeprefix('./') in str(error.value)


@pytest.mark.parametrize(('first_k', 'expected'), [(1, ['b/0']), (2, ['b/0', 'b/1']), (3, ['b/0', 'b/1', 'a/0'])])
def test_the_first_k_are_those_of_the_whole_list(
    first_k: int, expected: list[str], make_pictures: PictureMaker
) -> None:
    make_pictures('b', count=2)
    make_pictures('a', count=3)
    found = names(find_training_files(('b', 'a'), None, SCALES, first_k).hr)
    assert found == [name.replace('/', '/picture_') + '.png' for name in expected]


def test_more_pictures_than_there_are_can_not_be_asked_for(make_pictures: PictureMaker) -> None:
    make_pictures('a', count=3)
    with pytest.raises(ValueError, match='first_k = 4, but there are only 3 training pictures'):
        find_training_files(('a',), None, SCALES, 4)


@pytest.mark.parametrize('name', ['{stem}x{scale}', '{stem}'])
def test_partners_are_found_by_name_at_the_whole_scales_there_are(name: str, tmp_path: Path) -> None:
    write_pairs(tmp_path / 'a', ['01', '02'], [2, 3, 8], name=name)
    write_pairs(tmp_path / 'b', ['01', '0'], [2, 3], name=name)
    found = find_training_files(('a/HR', 'b/HR'), ('a/LR/X{scale}', 'b/LR/X{scale}'), (1.5, 4), first_k=3)
    assert names(found.hr) == ['HR/01.png', 'HR/02.png', 'HR/0.png']
    assert sorted(found.lr) == [2, 3]
    for scale, partners in found.lr.items():
        assert names(partners) == [f'X{scale}/{name.format(stem=stem, scale=scale)}.png' for stem in ('01', '02', '0')]
        assert [file.parts[0] for file in partners] == ['a', 'a', 'b']


def test_partners_never_pair_by_order(tmp_path: Path) -> None:
    """As many files of the right sizes on both sides, but under other names."""
    write_pairs(tmp_path, ['01', '02'], [2])
    for stem in ('01', '02'):
        (tmp_path / f'LR/X2/{stem}x2.png').rename(tmp_path / f'LR/X2/other{stem}.png')
    with pytest.raises(ValueError, match='2 HR and LR training pictures do not pair') as error:
        find_training_files(('HR',), ('LR/X{scale}',), SCALES)
    assert 'HR/01.png has no partner 01x2 or 01 in LR/X2' in str(error.value)


def _remove(root: Path) -> None:
    (root / 'LR/X3/02x3.png').unlink()


def _double(root: Path) -> None:
    Image.open(root / 'LR/X2/01x2.png').save(root / 'LR/X2/01x2.bmp')


def _same_stem(root: Path) -> None:
    Image.open(root / 'HR/01.png').save(root / 'HR/01.bmp')


def _round_up(root: Path) -> None:
    Image.new('RGB', (13, 9)).save(root / 'LR/X3/01x3.png')


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (_remove, 'HR/02.png has no partner 02x3 or 02 in LR/X3'),
        (_double, 'HR/01.png has 2 partners: LR/X2/01x2.bmp, LR/X2/01x2.png'),
        (_same_stem, 'HR/01.bmp and HR/01.png have the same name'),
        (_round_up, 'LR/X3/01x3.png is 13x9, which is not 37x26 over 3'),
    ],
)
def test_what_does_not_pair_is_named(spoil: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    write_pairs(tmp_path, ['01', '02'], [2, 3])
    find_training_files(('HR',), ('LR/X{scale}',), SCALES)
    spoil(tmp_path)
    with pytest.raises(ValueError, match='do not pair') as error:
        find_training_files(('HR',), ('LR/X{scale}',), SCALES)
    assert message in str(error.value)


def test_of_many_problems_twenty_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    write_pairs(tmp_path, [f'{number:02}' for number in range(15)], [2, 3])
    for file in (tmp_path / 'LR').glob('*/1*.png'):
        file.unlink()
    for file in (tmp_path / 'LR/X2').glob('0*.png'):
        Image.new('RGB', (5, 5)).save(file)
    with pytest.raises(ValueError, match='20 HR and LR training pictures do not pair'):
        find_training_files(('HR',), ('LR/X{scale}',), SCALES)
    (tmp_path / 'LR/X3/00x3.png').unlink()
    with pytest.raises(ValueError, match='21 HR and LR training pictures') as error:
        find_training_files(('HR',), ('LR/X{scale}',), SCALES)
    assert str(error.value).count('\n') == 21
    assert str(error.value).endswith('\n  and 1 more')


def test_a_scale_range_without_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    write_pairs(tmp_path, ['01'], [2])
    with pytest.raises(FileNotFoundError, match=r'within scale_range = \(3, 4\)\. Looked for: LR/X3, LR/X4'):
        find_training_files(('HR',), ('LR/X{scale}',), (3, 4))
    with pytest.raises(FileNotFoundError, match='no whole scale'):
        find_training_files(('HR',), ('LR/X{scale}',), (2.1, 2.9))


def test_half_a_set_of_pairs_is_refused(tmp_path: Path) -> None:
    write_pairs(tmp_path / 'a', ['01'], [2, 3])
    write_pairs(tmp_path / 'b', ['01'], [2])
    with pytest.raises(ValueError, match=r'a/LR/X\{scale\} has x2, x3, but b/LR/X\{scale\} has x2'):
        find_training_files(('a/HR', 'b/HR'), ('a/LR/X{scale}', 'b/LR/X{scale}'), SCALES)


def test_the_official_lr_files_of_div2k_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / 'sets'
    write_pairs(root, ['0001'], [2, 4])
    (root / 'DIV2K').mkdir()
    (root / 'HR').rename(root / 'DIV2K/DIV2K_train_HR')
    (root / 'LR').rename(root / 'DIV2K/DIV2K_train_LR_bicubic')
    monkeypatch.setenv('ASSR_DATASETS', str(root))
    found = find_training_files((BenchmarkType.DIV2K,), (BenchmarkType.DIV2K,), SCALES)
    assert found.lr == {scale: [root / f'DIV2K/DIV2K_train_LR_bicubic/X{scale}/0001x{scale}.png'] for scale in (2, 4)}
    with pytest.raises(ValueError, match='Set5 has no LR training pictures'):
        find_training_files((BenchmarkType.DIV2K,), (BenchmarkType.Set5,), SCALES)


def test_a_link_that_leads_nowhere_is_a_picture_not_a_gap(make_pictures: PictureMaker) -> None:
    """FAULTS case 45: left out silently, it would change what is trained on."""
    make_pictures('a', count=1)
    Path('a/lost.png').symlink_to('nowhere.png')
    Path('a/loop.png').symlink_to('loop.png')
    assert names(find_training_files(('a',), None, SCALES).hr) == ['a/loop.png', 'a/lost.png', 'a/picture_0.png']
