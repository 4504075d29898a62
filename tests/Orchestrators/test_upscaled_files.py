"""Results as files: a TIFF holds what a PNG does, and is written where a PNG would be too large."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from Models import DecoderType, EncoderType, TestingStrategy
from Orchestrators.Prediction import upscaled_pictures
from Orchestrators.Prediction.prediction import NetworkPredictor
from Orchestrators.Prediction.strategies import predictor_of
from Orchestrators.Prediction.upscaled_pictures import refuse_without_memory, write_upscaled
from Orchestrators.Prediction.upscaling import upscale_files
from tests.conftest import smooth_picture
from tests.tiny_networks import tiny
from Utilities.images import read_image, to_pixels, to_tensor
from Utilities.memory import MIB


def predictor(strategy: TestingStrategy, monkeypatch: pytest.MonkeyPatch) -> NetworkPredictor:
    model = tiny(EncoderType.EDSR, DecoderType.LIIF)
    monkeypatch.setattr('Orchestrators.Prediction.prediction.strip_rows', lambda _: 7)
    side = None if strategy is TestingStrategy.Simple else 11
    return predictor_of(model, strategy, model.mean.device, 100, side)


@pytest.mark.parametrize('mode', ['L', 'LA', 'RGB', 'RGBA'])
@pytest.mark.parametrize('strategy', [TestingStrategy.Simple, TestingStrategy.OverlappingPatched])
def test_a_tiff_holds_what_a_png_does(strategy: TestingStrategy, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Image.fromarray(smooth_picture(20, 30, 0)).convert(mode)
    if 'A' in mode:
        picture.putalpha(Image.linear_gradient('L').resize((30, 20)))
    picture.save('own.png')
    photo = read_image('own.png')
    size = (53, 77)
    write_upscaled(Path('whole.png'), predictor(TestingStrategy.Simple, monkeypatch), photo, size)
    write_upscaled(Path('banded.tif'), predictor(strategy, monkeypatch), photo, size)
    whole, banded = (Image.open(name) for name in ('whole.png', 'banded.tif'))
    assert (banded.mode, banded.size) == (whole.mode, whole.size) == (mode, (77, 53))
    # One gray level where a rounding tie falls otherwise.
    difference = np.abs(np.asarray(banded).astype(int) - np.asarray(whole).astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def test_the_colors_are_the_network_s(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny(EncoderType.EDSR, DecoderType.LIIF)
    pixels = smooth_picture(20, 30, 0)
    Image.fromarray(pixels).save('own.png')
    write_upscaled(Path('a.tif'), predictor(TestingStrategy.Simple, monkeypatch), read_image('own.png'), (53, 77))
    expected = to_pixels(model.upscale(to_tensor(pixels)[None], (53, 77))[0])
    assert np.array_equal(np.asarray(Image.open('a.tif')), expected)


def test_a_png_that_would_not_fit_names_tiff(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_without_memory((1000, 1000), 8)
    with pytest.raises(
        ValueError, match=r'30000x40000 .* takes 9155 MiB .* more than --max-memory, 4000 MiB.*name\.tif'
    ):
        refuse_without_memory((40_000, 30_000), 4000)
    monkeypatch.setattr(upscaled_pictures, 'free_memory', lambda: 14 * MIB)
    with pytest.raises(ValueError, match='more than half of the free memory, 7 MiB'):
        refuse_without_memory((1000, 1000), None)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture, and a network that needs no file."""

    class Loaded:
        network = tiny(EncoderType.EDSR, DecoderType.LIIF)
        name = 'EDSR-LIIF'
        warn_beyond_training = staticmethod(lambda *_: None)

    monkeypatch.setattr('Orchestrators.Prediction.upscaling.load_trained_model', lambda *_: Loaded)
    Image.fromarray(smooth_picture(20, 30, 0)).save('own.png')
    return Path('own.png')


def upscale(own: Path, output: str, **settings: Any) -> None:
    upscale_files([str(own)], output=output, checkpoint='any.pth', device='cpu', **({'scale': 2} | settings))


def test_results_by_their_names(own: Path) -> None:
    for name, kind in (('a.tif', 'TIFF'), ('b.TIFF', 'TIFF'), ('c.png', 'PNG')):
        upscale(own, name)
        with Image.open(name) as picture:
            assert (picture.format, picture.size) == (kind, (60, 40))
    with pytest.raises(ValueError, match=r'must end in \.png or \.tif, got d\.jpg'):
        upscale(own, 'd.jpg')
    with pytest.raises(ValueError, match=r'a\.tif exists\. Give --overwrite'):
        upscale(own, 'a.tif')


def test_memory_that_is_too_small_is_refused(own: Path) -> None:
    with pytest.raises(ValueError, match=r'--max-memory must be at least 1 MiB, got 0'):
        upscale(own, 'a.tif', max_memory=0)
    with pytest.raises(ValueError, match=r'max_memory must be at least \d+ MiB to make 60x40 pixels of 30x20'):
        upscale(own, 'a.tif', max_memory=20)
    with pytest.raises(ValueError, match=r'A PNG of 1920x1280 .* give --output name\.tif'):
        upscale(own, 'a.png', max_memory=15, scale=64)
    assert sorted(path.name for path in Path().iterdir()) == ['own.png']
