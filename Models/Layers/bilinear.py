"""The interpolated LR image that many networks add their answer to."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def sample_bilinear(
    image: Float[Tensor, 'batch channels h w'], coord: Float[Tensor, 'batch queries 2']
) -> Float[Tensor, 'batch queries channels']:
    """An image at any coordinate, bilinearly interpolated; beyond the outermost pixel centres it stays as it is there.

    Args:
        image: any image or feature map.
        coord: (y, x), where the image spans [-1, 1].
    """
    # grid_sample wants (x, y) and a grid of coordinates: here one of width 1.
    sampled = functional.grid_sample(
        image, coord.flip(-1)[:, :, None], mode='bilinear', padding_mode='border', align_corners=False
    )
    return sampled[..., 0].transpose(1, 2)
