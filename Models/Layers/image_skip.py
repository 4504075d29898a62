"""The LR image itself, read at any coordinate, for decoders that add to it."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def sample_image(
    image: Float[Tensor, 'batch channels h w'], coord: Float[Tensor, 'batch queries 2']
) -> Float[Tensor, 'batch queries channels']:
    """Bilinear interpolation between pixel centres; beyond the outermost centres their values hold.

    Args:
        image: spans [-1, 1] in both directions.
        coord: (y, x) in [-1, 1].
    """
    grid = coord.flip(-1)[:, None]  # grid_sample wants (x, y)
    sampled = functional.grid_sample(image, grid, mode='bilinear', padding_mode='border', align_corners=False)
    return sampled[:, :, 0].transpose(1, 2)
