"""The interpolated image that a decoder adds its detail to."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def sample_image(
    image: Float[Tensor, 'batch channels h w'], coord: Float[Tensor, 'batch queries 2']
) -> Float[Tensor, 'batch queries channels']:
    """Bilinear samples of an image; outside the centres of its border pixels, the border goes on.

    Args:
        image: any channels, of the size that spans [-1, 1].
        coord: (y, x) in [-1, 1].
    """
    grid = coord.flip(-1)[:, None]  # grid_sample wants (x, y)
    samples = functional.grid_sample(image, grid, mode='bilinear', padding_mode='border', align_corners=False)
    return samples[:, :, 0].transpose(1, 2)
