"""Samples are what LIIF trains on, and a pure function of (seed, epoch, index)."""

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from Datasets import TrainingCrops as training_crops_module
from Datasets.ImageFolder import ImageFolder
from Datasets.loaders import EpochBatches, load_batches
from Datasets.picture_stores import PicturesInTheirFiles
from Datasets.TrainingCrops import Position, TrainingBatch, TrainingCrops, Turn, arrange_pixels
from Models import SamplingType
from tests.conftest import PictureMaker
from Utilities.coordinates import coordinates_of, pixel_centers
from Utilities.resize import resize
from Utilities.seeding import generator_for


def crops_of(images: ImageFolder, **settings: object) -> TrainingCrops:
    return TrainingCrops(
        images,
        **({'input_patch': 8, 'scale_range': (1, 4), 'queries': 64, 'repeat': 5} | settings),  # type: ignore[arg-type]
    )


def same(first: TrainingBatch, second: TrainingBatch) -> bool:
    return all(
        one is other if one is None or other is None else torch.equal(one, other)
        for one, other in zip(first, second, strict=True)
    )


@pytest.fixture
def images(make_pictures: PictureMaker) -> ImageFolder:
    return ImageFolder(make_pictures())


def test_shapes_and_ranges(images: ImageFolder) -> None:
    sample = crops_of(images)[1, 7]
    assert sample.condition is None
    present = [tensor for tensor in sample if tensor is not None]
    assert [tuple(tensor.shape) for tensor in present] == [(3, 8, 8), (64, 2), (2,), (64, 3)]
    assert all(tensor.dtype == torch.float32 for tensor in present)
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


def test_scattered_samples_stay_what_they_were(images: ImageFolder) -> None:
    """The order of draws is part of every run: scale, place, flips, pixels."""
    sample = crops_of(images, seed=3)[2, 4]
    random = generator_for(3, 'sample', 2, 4)
    side = round(8 * random.uniform(1, 4))
    top, left = random.integers(40 - side + 1), random.integers(48 - side + 1)
    horizontally, vertically, transposed = random.integers(2, size=3).tolist()
    chosen = random.choice(side * side, 64, replace=False, shuffle=False)
    hr = images[1][top : top + side, left : left + side]
    hr = hr[:: -1 if vertically else 1, :: -1 if horizontally else 1]
    hr = hr.transpose(1, 0, 2) if transposed else hr
    assert sample.cell.tolist() == [np.float32(2 / side)] * 2
    assert torch.equal(sample.hr, torch.from_numpy(hr.reshape(-1, 3)[chosen].copy()).float() / 255)


@pytest.mark.parametrize('choices', list(itertools.product((0, 1), repeat=3)))
def test_a_turned_crop_is_found_in_the_picture(choices: tuple[int, int, int]) -> None:
    """All eight turns; every pixel of the picture has its own number."""
    picture = np.arange(12 * 17, dtype=np.uint8).reshape(12, 17, 1)
    turn = Turn(*choices)
    turned = turn.apply(picture[2:9, 5:12])[..., 0]
    rows, columns = (axis.reshape(-1) for axis in np.mgrid[0:7, 0:7])
    assert np.array_equal(picture.reshape(-1)[turn.locate(rows, columns, (2, 5), 7, 17)], turned.reshape(-1))
    assert turned[0, 0] == picture[(8 if turn.vertically else 2), (11 if turn.horizontally else 5), 0]
    along = int(turned[0, 6]) - int(turned[0, 0])
    assert along in ((6, -6), (102, -102))[turn.transposed]  # along a row, or down a column


def test_a_batch_costs_one_resize_of_a_crop_per_sample_and_no_copy_of_a_picture(
    make_pictures: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work instead of time: the bytes at hand are those of the batch and of one sample, however large the pictures."""
    images = ImageFolder(make_pictures(count=2, height=500, width=700))
    crops = crops_of(images, input_patch=16, queries=256, repeat=100)
    resized = []

    def counted(picture: np.ndarray, *arguments: object) -> np.ndarray:
        resized.append(picture.shape)
        return resize(picture, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(training_crops_module, 'resize', counted)
    crops.__getitems__([(1, 0)])
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    batch = crops.__getitems__([(1, index) for index in range(8)])
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert len(resized) == 1 + 8
    assert all(max(shape[:2]) <= 4 * 16 for shape in resized)
    # Of the batch: bytes of LR and HR and coordinates of 4 bytes, in the samples and put together; torch's numbers are
    # not counted. Of one sample: its crop, handed to Pillow, and a few numbers of 8 bytes for each query or HR pixel.
    of_batch = 2 * 8 * (16 * 16 * 3 + 256 * 3 + 256 * 2 * 4)
    of_sample = 3 * (64 * 64 * 3) + 8 * (64 * 64 + 4 * 256)
    assert peak < of_batch + of_sample + 30_000 < images[0].nbytes / 4
    assert batch.lr.shape == (8, 3, 16, 16)


# Pixels side by side


def image_and_grid(sample: TrainingBatch, sampling: SamplingType) -> tuple[torch.Tensor, torch.Tensor]:
    """The asked pixels as losses see them, and their coordinates as rows and columns."""
    image = arrange_pixels(sampling, sample.hr[None])[0]
    return image, sample.coord.unflatten(0, image.shape[1:])


@pytest.mark.parametrize('sampling', [SamplingType.Window, SamplingType.Crop])
def test_neighboring_pixels_are_an_image_row_after_row(sampling: SamplingType, images: ImageFolder) -> None:
    """One step to the right is one cell in x, one step down one cell in y."""
    for index in range(12):
        sample = crops_of(images, sampling=sampling)[1, index]
        image, grid = image_and_grid(sample, sampling)
        assert image.shape[1:] == grid.shape[:2]
        assert image.shape[1] == image.shape[2] >= 8
        cell = sample.cell[0].item()
        torch.testing.assert_close(grid[:, 1:] - grid[:, :-1], torch.tensor([0, cell]).expand(*grid[:, 1:].shape))
        torch.testing.assert_close(grid[1:] - grid[:-1], torch.tensor([cell, 0]).expand(*grid[1:].shape))


def test_a_crop_is_every_pixel(make_pictures: PictureMaker) -> None:
    images = ImageFolder(make_pictures(count=1, height=16, width=16))
    sample = crops_of(images, scale_range=(2, 2), sampling=SamplingType.Crop, augment=False)[1, 0]
    assert torch.equal(sample.coord, coordinates_of(pixel_centers(16), pixel_centers(16)))
    image = arrange_pixels(SamplingType.Crop, sample.hr[None])[0]
    assert torch.equal(image, torch.from_numpy(images[0].copy()).permute(2, 0, 1).float() / 255)


def test_a_window_is_a_piece_of_the_crop_and_lies_anywhere_in_it(make_pictures: PictureMaker) -> None:
    """Each pixel of a picture of its own color tells where it is; every place of the window turns up."""
    y, x = np.mgrid[0:10, 0:10]
    Image.fromarray(np.stack([y, x, 0 * x], axis=-1).astype(np.uint8)).save('places.png')
    images = ImageFolder([Path('places.png')])
    crops = crops_of(
        images, input_patch=10, scale_range=(1, 1), queries=64, sampling=SamplingType.Window, augment=False, repeat=200
    )
    corners = set()
    for index in range(100):
        sample = crops[1, index]
        image, grid = image_and_grid(sample, SamplingType.Window)
        places = (image[:2] * 255).round()
        corners.add(tuple(places[:, 0, 0].tolist()))
        assert torch.equal(places[:, -1, -1] - places[:, 0, 0], torch.tensor([7.0, 7.0]))
        torch.testing.assert_close((2 * places + 1) / 10 - 1, grid.permute(2, 0, 1))
    assert corners == {(top, left) for top in range(3) for left in range(3)}


def test_scattered_pixels_are_a_row(images: ImageFolder) -> None:
    sample = crops_of(images)[1, 0]
    assert torch.equal(arrange_pixels(SamplingType.Scattered, sample.hr[None])[0], sample.hr.T)


# LR files instead of reductions


@pytest.fixture
def pairs(tmp_path: Path) -> ImageFolder:
    """Each HR pixel says where it is; LR files at x2 and x3 are its nearest neighbors, which no reduction is."""
    y, x = np.mgrid[0:50, 0:61]
    hr = np.stack([y, x, 0 * x], axis=-1).astype(np.uint8)
    files = {}
    for scale in (1, 2, 3):
        lr = hr[: 50 // scale * scale : scale, : 61 // scale * scale : scale]
        files[scale] = tmp_path / f'x{scale}.png'
        Image.fromarray(lr).save(files[scale])
    return ImageFolder([files[1]], lr_files={scale: [files[scale]] for scale in (2, 3)})


@pytest.mark.parametrize('sampling', list(SamplingType))
def test_the_lr_patch_of_a_pair_is_the_file_and_hr_what_it_covers(sampling: SamplingType, pairs: ImageFolder) -> None:
    crops = crops_of(pairs, sampling=sampling, augment=False, repeat=200)
    scales, corners = set(), set()
    for index in range(100):
        sample = crops[Position(1, index, index)]
        side = round(2 / sample.cell[0].item())
        scale = side // 8
        scales.add(scale)
        assert side == 8 * scale
        lr = (sample.lr * 255).round().long()
        top, left = lr[0, 0, 0].item(), lr[1, 0, 0].item()
        corners.add((scale, top, left))
        assert (top % scale, left % scale) == (0, 0)
        assert torch.equal(lr[0], torch.arange(top, top + side, scale)[:, None].expand(8, 8))
        assert torch.equal(lr[1], torch.arange(left, left + side, scale)[None].expand(8, 8))
        # A color is the pixel's place in the whole picture, a coordinate its place in the crop.
        place = (sample.hr[:, :2] * 255).round()
        expected = (place - torch.tensor([top, left]) + 0.5) * (2 / side) - 1
        torch.testing.assert_close(sample.coord, expected, rtol=0, atol=1e-6)
    assert scales == {2, 3}
    # The last possible corners: (25 - 8) LR pixels down at x2, (20 - 8) to the right at x3.
    assert max(top for scale, top, _ in corners if scale == 2) <= 2 * (25 - 8)
    assert max(left for scale, _, left in corners if scale == 3) == 3 * (20 - 8)


def test_both_of_a_pair_are_turned_alike(pairs: ImageFolder) -> None:
    crops = crops_of(pairs, sampling=SamplingType.Crop, repeat=100)
    seen = set()
    for index in range(100):
        sample = crops[Position(1, index, index)]
        side = round(2 / sample.cell[0].item())
        image = arrange_pixels(SamplingType.Crop, sample.hr[None])[0]
        # A turned square keeps one of its own corners in each block, whichever was sampled.
        blocks = image.unflatten(1, (8, side // 8)).unflatten(3, (8, side // 8))
        assert torch.equal(sample.lr, blocks.amin(dim=(2, 4)))
        rows_stay = bool(image[0, 0, 0] == image[0, 0, -1])
        seen.add((*torch.sign(image[:2, -1, -1] - image[:2, 0, 0]).tolist(), rows_stay))
    assert len(seen) == 8


def test_a_batch_of_whole_crops_of_pairs_has_one_scale(pairs: ImageFolder) -> None:
    crops = crops_of(pairs, sampling=SamplingType.Crop, repeat=40)
    batches = EpochBatches(len(crops), 4, epochs=1, seed=0)
    cells = [batch.cell for batch in load_batches(crops, batches, workers=0, pin_memory=False)]
    assert all((cell == cell[0]).all() for cell in cells)
    assert {round(2 / cell[0, 0].item()) for cell in cells} == {16, 24}


def test_bad_partners_are_listed_beside_bad_pictures(make_pictures: PictureMaker) -> None:
    hr, lr = make_pictures('hr', count=3), make_pictures('lr', count=3)
    hr[0].write_bytes(b'')
    lr[0].write_bytes(b'')
    lr[1].write_bytes(b'')
    with pytest.raises(ValueError, match='3 of 6 pictures can not be used') as error:
        ImageFolder(hr, lr_files={1: lr})
    assert all(str(file) in str(error.value) for file in (hr[0], lr[0], lr[1]))
    rest = ImageFolder(hr, lr_files={1: lr}, on_bad_image='skip')
    assert (rest.files, rest.lr_files) == ([hr[2]], {1: [lr[2]]})


def crop_batches(images: ImageFolder, workers: int, **start: int) -> list[TrainingBatch]:
    crops = crops_of(images, sampling=SamplingType.Crop)
    batches = EpochBatches(len(crops), 4, epochs=2, seed=0, **start)
    return list(load_batches(crops, batches, workers=workers, pin_memory=False))


@pytest.mark.parametrize('workers', [0, 2])
def test_the_samples_of_a_batch_of_crops_have_one_scale(workers: int, images: ImageFolder) -> None:
    batches = crop_batches(images, workers)
    assert all((batch.cell == batch.cell[0]).all() for batch in batches)
    assert len({batch.cell[0, 0].item() for batch in batches}) > 5  # Eight batches, each with a scale of its own.
    # From the middle, as after a restart, and by whatever workers: the same.
    rest = crop_batches(images, 0, start_epoch=1, start_batch=2)
    assert len(rest) == 6
    assert all(same(first, second) for first, second in zip(batches[2:], rest, strict=True))


def test_the_scale_of_crops_is_a_function_of_seed_epoch_and_batch(images: ImageFolder) -> None:
    def scale_at(epoch: int, sample: int, batch: int, seed: int = 0) -> float:
        crops = crops_of(images, sampling=SamplingType.Crop, seed=seed)
        return crops[Position(epoch, sample, batch)].cell[0].item()

    assert scale_at(1, 0, 3) == scale_at(1, 5, 3)
    assert len({scale_at(1, 0, 3), scale_at(1, 0, 4), scale_at(2, 0, 3), scale_at(1, 0, 3, seed=1)}) == 4


@pytest.mark.parametrize('sampling', [SamplingType.Scattered, SamplingType.Window])
def test_the_batch_decides_nothing_else(sampling: SamplingType, images: ImageFolder) -> None:
    crops = crops_of(images, sampling=sampling)
    assert same(crops[Position(1, 5, 3)], crops[1, 5])


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
        [index for batch in EpochBatches(15, 4, epochs=2, seed=0) for e, index, _ in batch if e == epoch]
        for epoch in (1, 2)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(15))
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize('workers', [0, 1])
def test_a_picture_that_turns_bad_is_named(make_pictures: PictureMaker, workers: int) -> None:
    """FAULTS case 24: path, epoch, sample and worker."""
    files = make_pictures(count=1)
    images = ImageFolder(files, store=PicturesInTheirFiles())
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
