import torch

from Models.Layers.image_skip import sample_image
from Utilities.coordinates import coordinates_of, pixel_centers


def test_pixel_centers_read_the_pixels_and_the_rim_holds() -> None:
    image = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows, columns = (pixel_centers(count, dtype=torch.float64) for count in (4, 5))
    grid = coordinates_of(rows, columns).expand(2, -1, -1)
    torch.testing.assert_close(sample_image(image, grid), image.flatten(2).transpose(1, 2))
    corner = torch.tensor([-1.0, 1.0], dtype=torch.float64).expand(2, 1, 2)
    torch.testing.assert_close(sample_image(image, corner)[:, 0], image[:, :, 0, -1])


def test_a_plane_stays_a_plane_between_pixel_centers() -> None:
    """Bilinear interpolation is exact on 2 y - 3 x + 1, which also tells y from x."""
    rows, columns = (pixel_centers(count, dtype=torch.float64) for count in (6, 9))
    image = (2 * rows[:, None] - 3 * columns[None] + 1)[None, None]
    coord = torch.rand(1, 50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 1.6 - 0.8
    expected = 2 * coord[..., :1] - 3 * coord[..., 1:] + 1
    torch.testing.assert_close(sample_image(image, coord), expected)
