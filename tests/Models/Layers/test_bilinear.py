import torch
from torch.nn import functional

from Models.Layers.bilinear import sample_bilinear
from Utilities.coordinates import Crop, coordinates_of, pixel_centers


def test_pixel_centers_give_the_pixels() -> None:
    image = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    coord = coordinates_of(pixel_centers(4), pixel_centers(5)).expand(2, -1, -1)
    torch.testing.assert_close(sample_bilinear(image, coord), image.flatten(2).transpose(1, 2))


def test_a_full_grid_equals_torch_interpolation() -> None:
    image = torch.rand(1, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    coord = coordinates_of(pixel_centers(11), pixel_centers(7))[None]
    expected = functional.interpolate(image, (11, 7), mode='bilinear', align_corners=False)
    torch.testing.assert_close(sample_bilinear(image, coord), expected.flatten(2).transpose(1, 2))


def test_beyond_the_outermost_centers_the_border_goes_on() -> None:
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    coord = torch.tensor([[[-1.0, -1.0], [1.5, 1.0], [0.0, 2.0]]])
    torch.testing.assert_close(sample_bilinear(image, coord), torch.tensor([[[1.0], [4.0], [3.0]]]))


def test_any_coordinates_equal_torch_sampling() -> None:
    random = torch.Generator().manual_seed(0)
    image, coord = torch.rand(2, 3, 4, 5, generator=random), torch.rand(2, 200, 2, generator=random) * 3 - 1.5
    expected = functional.grid_sample(
        image, coord.flip(-1)[:, :, None], mode='bilinear', padding_mode='border', align_corners=False
    )
    torch.testing.assert_close(sample_bilinear(image, coord), expected[..., 0].transpose(1, 2))


def test_a_crop_gives_what_the_whole_does_to_the_last_bit() -> None:
    random = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 9, 11, generator=random)
    crop = Crop((9, 11), range(2, 7), range(3, 11))
    rows, columns = pixel_centers(9 * 3)[2 * 3 + 2 : 7 * 3 - 2], pixel_centers(11 * 3)[3 * 3 + 2 :]
    coord = coordinates_of(rows, columns)[None]
    assert torch.equal(sample_bilinear(image[..., 2:7, 3:], coord, crop), sample_bilinear(image, coord))
