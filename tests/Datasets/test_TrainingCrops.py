"""Samples are what LIIF trains on, and a pure function of (seed, epoch, index)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from Datasets.ImageFolder import ImageFolder
from Datasets.loaders import EpochBatches, load_batches
from Datasets.TrainingCrops import TrainingBatch, TrainingCrops
from tests.conftest import PictureMaker
from Utilities.coordinates import coordinates_of, pixel_centers
from Utilities.resize import resize


def crops_of(images: ImageFolder, **settings: object) -> TrainingCrops:
    return TrainingCrops(
        images,
        **({'input_patch': 8, 'scale_range': (1, 4), 'queries': 64, 'repeat': 5} | settings),  # type: ignore[arg-type]
    )


def same(first: TrainingBatch, second: TrainingBatch) -> bool:
    return all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.fixture
def images(make_pictures: PictureMaker) -> ImageFolder:
    return ImageFolder(make_pictures())


def test_shapes_and_ranges(images: ImageFolder) -> None:
    sample = crops_of(images)[1, 7]
    assert [tuple(tensor.shape) for tensor in sample] == [(3, 8, 8), (64, 2), (2,), (64, 3)]
    assert all(tensor.dtype == torch.float32 for tensor in sample)
    assert sample.coord.abs().max() < 1
    assert 0 <= sample.lr.min() <= sample.lr.max() <= 1


def test_a_sample_is_a_crop_and_its_bicubic_reduction(make_pictures: PictureMaker) -> None:
    """With a patch as large as the picture, no augmentation and scale 2, everything can be worked out."""
    files = make_pictures(count=1, height=16, width=16)
    images = ImageFolder(files)
    sample = crops_of(images, scale_range=(2, 2), queries=256, augment=False)[1, 0]
    assert np.array_equal(
        (sample.lr * 255).round().byte().permute(1, 2, 0).numpy(), resize(images[0], (8, 8), 'pillow')
    )
    assert sample.cell.tolist() == [2 / 16, 2 / 16]
    # Every pixel is asked for once; each coordinate carries its own color, to the last bit.
    grid = coordinates_of(pixel_centers(16), pixel_centers(16))
    colors = torch.from_numpy(images[0].reshape(-1, 3).copy()).float() / 255
    place = {tuple(coord): color for coord, color in zip(grid.tolist(), colors.tolist(), strict=True)}
    found = {tuple(coord): color for coord, color in zip(sample.coord.tolist(), sample.hr.tolist(), strict=True)}
    assert found == place


def test_augmentation_moves_lr_and_hr_alike(make_pictures: PictureMaker) -> None:
    """Whatever the flips, LR is the reduction of the HR that the coordinates describe."""
    images = ImageFolder(make_pictures(count=1, height=16, width=16))
    crops = crops_of(images, scale_range=(2, 2), queries=256, repeat=40)
    seen = set()
    for index in range(40):
        sample = crops[1, index]
        position = ((sample.coord + 1) * 16 - 1).div(2).round().long()
        hr = torch.zeros(16, 16, 3)
        hr[position[:, 0], position[:, 1]] = sample.hr
        pixels = (hr * 255).round().byte().numpy()
        lr = (sample.lr * 255).round().byte().permute(1, 2, 0).numpy()
        # Pillow's passes round in a fixed order of axes, so a transposed picture may differ by one level.
        assert np.abs(resize(pixels, (8, 8), 'pillow').astype(int) - lr).max() <= 1
        seen.add(pixels.tobytes())
    assert len(seen) == 8  # the eight symmetries of the square


def test_scales_are_drawn_over_the_whole_range(images: ImageFolder) -> None:
    crops = crops_of(images, repeat=200)
    sides = [2 / crops[1, index].cell[0].item() for index in range(600)]
    scales = np.array(sides) / 8
    assert scales.min() < 1.1
    assert scales.max() > 3.9
    # A uniform draw on [1, 4] has the mean 2.5; three standard errors of 600 draws are 0.11.
    assert abs(scales.mean() - 2.5) < 0.11


def test_scattered_pixels_do_not_repeat(images: ImageFolder) -> None:
    coord = crops_of(images, scale_range=(1, 1))[1, 3].coord
    assert len({tuple(pair) for pair in coord.tolist()}) == 64


def test_samples_depend_on_seed_epoch_and_index_alone(images: ImageFolder) -> None:
    crops = crops_of(images)
    sample = crops[2, 5]
    crops[1, 0]
    torch.manual_seed(9)
    assert same(crops[2, 5], sample)
    assert same(crops_of(images)[2, 5], sample)
    assert not same(crops[1, 5], sample)
    assert not same(crops[2, 5 + len(images)], sample)
    assert not same(crops_of(images, seed=1)[2, 5], sample)


def batches_of(images: ImageFolder, workers: int, **start: int) -> list[TrainingBatch]:
    crops = crops_of(images)
    batches = EpochBatches(len(crops), 4, epochs=2, seed=0, **start)
    return list(load_batches(crops, batches, workers=workers, pin_memory=False))


@pytest.mark.parametrize('workers', [1, 2])
def test_workers_change_nothing(images: ImageFolder, workers: int) -> None:
    alone, shared = batches_of(images, 0), batches_of(images, workers)
    assert len(alone) == len(shared) == 8  # 15 samples in batches of 4, two epochs
    assert all(same(first, second) for first, second in zip(alone, shared, strict=True))


def test_the_loader_leaves_the_global_generator_alone(images: ImageFolder) -> None:
    before = torch.get_rng_state()
    batches_of(images, 0)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(('epoch', 'batch'), [(1, 0), (1, 3), (2, 0), (2, 1), (2, 4)])
def test_starting_in_the_middle_gives_the_rest(images: ImageFolder, epoch: int, batch: int) -> None:
    whole = batches_of(images, 0)
    rest = batches_of(images, 0, start_epoch=epoch, start_batch=batch)
    expected = whole[4 * (epoch - 1) + batch :]
    assert len(rest) == len(expected)
    assert all(same(first, second) for first, second in zip(rest, expected, strict=True))


def test_each_epoch_visits_every_sample_once_in_another_order() -> None:
    epochs = [
        [index for batch in EpochBatches(15, 4, epochs=2, seed=0) for e, index in batch if e == epoch]
        for epoch in (1, 2)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(15))
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize('workers', [0, 1])
def test_a_picture_that_turns_bad_is_named(make_pictures: PictureMaker, workers: int) -> None:
    """FAULTS case 24: path, epoch, sample and worker."""
    files = make_pictures(count=1)
    images = ImageFolder(files, in_memory=False)
    files[0].write_bytes(b'no longer a picture')
    crops = crops_of(images)
    batches = EpochBatches(len(crops), 4, epochs=1, seed=0)
    place = 'worker 0' if workers else 'the main process'
    with pytest.raises(RuntimeError, match=rf'of epoch 1, from {files[0]}, failed in {place}') as error:
        list(load_batches(crops, batches, workers=workers, pin_memory=False))
    assert 'is not a readable picture' in str(error.value)


def test_a_picture_in_memory_can_not_turn_bad(make_pictures: PictureMaker) -> None:
    files = make_pictures(count=1)
    images = ImageFolder(files)
    before = crops_of(images)[1, 0]
    Path(files[0]).write_bytes(b'no longer a picture')
    assert same(crops_of(images)[1, 0], before)


def test_a_gray_picture_trains_as_three_equal_channels(tmp_path: Path) -> None:
    Image.effect_noise((40, 40), 60).save(tmp_path / 'gray.png')
    sample = crops_of(ImageFolder([tmp_path / 'gray.png']))[1, 0]
    assert torch.equal(sample.hr[:, 0], sample.hr[:, 2])
