import torch
from torch import Tensor

from Models.Layers.pixel_noise import pixel_noise


def _pixels(height: int, width: int, batch: int = 1) -> Tensor:
    return torch.cartesian_prod(torch.arange(height), torch.arange(width)).expand(batch, -1, -1)


def test_noise_does_not_depend_on_the_company() -> None:
    pixels = _pixels(6, 7, batch=2)
    whole = pixel_noise(pixels, 3, seed=5)
    order = torch.randperm(42, generator=torch.Generator().manual_seed(0))
    assert torch.equal(pixel_noise(pixels[:, order], 3, seed=5), whole[:, order])
    assert torch.equal(pixel_noise(pixels[:1, 10:11], 3, seed=5), whole[:1, 10:11])


def test_noise_differs_between_seeds_images_pixels_and_channels() -> None:
    noise = torch.cat([pixel_noise(_pixels(30, 30, batch=2), 3, seed=seed).flatten() for seed in (-1, 0, 1, 2**40)])
    # Of 21 600 draws from 2^23 values, about 28 pairs agree by chance.
    assert noise.unique().numel() > noise.numel() - 100


def test_noise_is_standard_normal_and_uncorrelated() -> None:
    noise = pixel_noise(_pixels(256, 256), 3, seed=0)[0]  # 196 608 numbers
    assert abs(noise.mean()) < 4 / 196_608**0.5
    assert abs(noise.std() - 1) < 4 / (2 * 196_608) ** 0.5
    for threshold, share in [(-1.0, 0.158655), (0.0, 0.5), (2.0, 0.977250)]:  # of the normal distribution
        assert abs((noise < threshold).float().mean() - share) < 4 * (share * (1 - share) / 196_608) ** 0.5
    picture = noise.unflatten(0, (256, 256))
    neighbors = [(picture[1:], picture[:-1]), (picture[:, 1:], picture[:, :-1]), (picture[..., 1:], picture[..., :-1])]
    for one, other in neighbors:
        assert abs((one * other).mean()) < 4 / one.numel() ** 0.5
