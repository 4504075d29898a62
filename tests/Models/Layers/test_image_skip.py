import torch
from torch.nn import functional

from Models.Layers.image_skip import sample_image
from Utilities.coordinates import coordinates_of, pixel_centers


def test_sampling_a_grid_is_bilinear_interpolation() -> None:
    image = torch.rand(2, 3, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    size = (13, 9)
    grid = coordinates_of(*(pixel_centers(n, dtype=torch.float64) for n in size)).expand(2, -1, -1)
    expected = functional.interpolate(image, size, mode='bilinear', align_corners=False)
    torch.testing.assert_close(sample_image(image, grid).transpose(1, 2).unflatten(2, size), expected)


def test_the_border_goes_on_outside() -> None:
    image = torch.arange(6.0).reshape(1, 1, 2, 3)
    corners = torch.tensor([[[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]])
    assert sample_image(image, corners).flatten().tolist() == [0, 2, 3, 5]
