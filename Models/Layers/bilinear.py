"""The interpolated LR image that many networks add their answer to."""

import itertools

from jaxtyping import Float
from torch import Tensor

from Utilities.coordinates import Crop


def sample_bilinear(
    image: Float[Tensor, 'batch channels h w'], coord: Float[Tensor, 'batch queries 2'], crop: Crop | None = None
) -> Float[Tensor, 'batch queries channels']:
    """An image at any coordinate, bilinearly interpolated; beyond the outermost pixel centers it stays as it is there.

    It is what `torch.nn.functional.grid_sample` gives, which knows no crops.

    Args:
        image: any image or feature map, or a crop of it.
        coord: (y, x), where the image spans [-1, 1].
        crop: which crop.
    """
    height, width = image.shape[2:]
    lr_size, first_row, first_column = (height, width), 0, 0
    if crop is not None:
        lr_size, first_row, first_column = crop.lr_size, crop.rows.start, crop.columns.start
    # Positions in the picture at hand, as the whole picture's coordinates have them.
    y = (((coord[..., 0] + 1) * lr_size[0] - 1) / 2 - first_row).clamp(0, height - 1)
    x = (((coord[..., 1] + 1) * lr_size[1] - 1) / 2 - first_column).clamp(0, width - 1)
    top, left = y.floor(), x.floor()

    pixels = image.flatten(2)
    result = image.new_zeros(coord.shape[0], image.shape[1], coord.shape[1])
    for down, right in itertools.product((0, 1), repeat=2):
        row = (top.long() + down).clamp(max=height - 1)
        column = (left.long() + right).clamp(max=width - 1)
        weight = (y - top if down else 1 - (y - top)) * (x - left if right else 1 - (x - left))
        index = (row * width + column)[:, None].expand(-1, image.shape[1], -1)
        result = result + pixels.gather(2, index) * weight[:, None]
    return result.transpose(1, 2)
