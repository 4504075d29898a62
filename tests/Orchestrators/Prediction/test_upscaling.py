"""A user's own pictures: any size, whatever the file, and nothing of theirs overwritten."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from Orchestrators.Prediction.upscaling import parse_size, upscale_files
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PictureMaker, smooth_picture
from tests.tiny import TrainTiny

CHECKPOINT = 'model_states_EDSR_LIIF_Tiny_Patch_8_Scale_1_2_best.pth'


@pytest.fixture(autouse=True)
def _trained(make_pictures: PictureMaker) -> None:
    make_pictures()
    TrainingOrchestrator(TrainTiny(epochs=1)).train()


def opened(file: Path) -> Image.Image:
    with Image.open(file) as picture:
        return picture.copy()


def upscale(*inputs: str, **settings: Any) -> list[Path]:
    return upscale_files(inputs, **({'scale': 2} | settings if 'size' not in settings else settings), device='cpu')


@pytest.mark.parametrize(
    ('settings', 'size'),
    [
        ({'scale': 3.7}, (178, 148)),
        ({'scale': 1}, (48, 40)),
        ({'scale': 0.5}, (24, 20)),
        ({'size': (120, 81)}, (120, 81)),
    ],
)
def test_any_scale_and_any_size(settings: dict[str, Any], size: tuple[int, int]) -> None:
    """The pictures are 48 wide and 40 high."""
    before = Path('pictures/picture_0.png').read_bytes()
    (target,) = upscale('pictures/picture_0.png', **settings)
    assert target == Path('pictures/picture_0_sr.png')
    assert opened(target).size == size
    assert Path('pictures/picture_0.png').read_bytes() == before


@pytest.mark.parametrize('mode', ['L', 'LA', 'RGB', 'RGBA'])
def test_gray_stays_gray_and_alpha_comes_along(mode: str) -> None:
    picture = Image.fromarray(smooth_picture(20, 30, 0)).convert(mode)
    if 'A' in mode:
        picture.putalpha(Image.linear_gradient('L').resize((30, 20)))
    picture.save('own.png')
    (target,) = upscale('own.png')
    result = opened(target)
    assert (result.mode, result.size) == (mode, (60, 40))
    if 'A' in mode:
        alpha = np.asarray(result)[..., -1].astype(int)
        assert np.abs(alpha - np.asarray(picture.getchannel('A').resize((60, 40), Image.Resampling.BICUBIC))).max() == 0
        assert alpha[-1].min() > alpha[0].max()


def test_a_folder_and_several_files() -> None:
    targets = upscale('pictures', output='larger')
    assert [str(target) for target in targets] == [f'larger/picture_{number}_sr.png' for number in range(3)]
    upscale('pictures/picture_0.png', 'pictures/picture_1.png')
    # What an earlier call has made is no input of the next.
    assert len(upscale('pictures', output='again')) == 3


def test_what_exists_is_not_overwritten() -> None:
    (target,) = upscale('pictures/picture_0.png')
    with pytest.raises(ValueError, match=r'picture_0_sr\.png exists. Give --overwrite'):
        upscale('pictures/picture_0.png')
    target.write_bytes(b'old')
    upscale('pictures/picture_0.png', overwrite=True)
    assert target.read_bytes() != b'old'
    with pytest.raises(ValueError, match='would overwrite an input'):
        upscale('pictures/picture_0.png', output='pictures/picture_0.png', overwrite=True)


@pytest.mark.parametrize(
    ('inputs', 'settings', 'message'),
    [
        (['nowhere.png'], {}, r'There is no picture or folder nowhere\.png'),
        (['pictures'], {'output': 'one.png'}, 'is one file, but there are 3 pictures'),
        (['pictures/picture_0.png'], {'output': 'one.jpg'}, r'must end in \.png'),
        (['pictures/picture_0.png'], {'scale': 0}, 'The scale must be from 0.05 to 64, got 0'),
        (['pictures/picture_0.png'], {'scale': 2, 'size': (3, 3)}, 'either a scale or a size'),
        (['pictures/picture_0.png'], {'checkpoint': 'none.pth'}, r'There is no checkpoint none\.pth'),
        (['pictures/picture_0.png'], {'checkpoint': 'pictures/picture_0.png'}, 'is not a readable checkpoint'),
        ([CHECKPOINT], {}, 'is not a readable picture'),
    ],
)
def test_what_can_not_be_upscaled_is_refused(inputs: list[str], settings: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, OSError), match=message):
        upscale(*inputs, **settings)


def test_the_checkpoint_is_found_or_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    upscale('pictures/picture_0.png')
    assert f'Using {CHECKPOINT} (EDSR-LIIF) on cpu' in caplog.text
    Path(CHECKPOINT.replace('Tiny', 'Twin')).write_bytes(Path(CHECKPOINT).read_bytes())
    with pytest.raises(ValueError, match=r'There are 2 checkpoints; name one with --checkpoint:\n  model_states'):
        upscale('pictures/picture_1.png')
    for file in Path().glob('*_best.pth'):
        file.rename(file.with_suffix('.moved'))
    with pytest.raises(ValueError, match=r'There is no model_states_\*_best\.pth in'):
        upscale('pictures/picture_1.png')


@pytest.mark.parametrize('text', ['1200', '1200x', 'x800', '0x5', '5x0', '1200*800', '-5x5', '1e3x5', '200000x5'])
def test_a_size_is_written_as_width_x_height(text: str) -> None:
    assert parse_size('1200x800') == (1200, 800)
    with pytest.raises(ValueError, match='such as 1200x800'):
        parse_size(text)
