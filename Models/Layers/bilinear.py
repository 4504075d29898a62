"""The interpolated LR image that many networks add their answer to."""

import itertools

from jaxtyping import Float
from torch import Tensor

from Utilities.coordinates import Crop


def sample_bilinear(
    image: Float[Tensor, 'batch channels h w'], coord: Float[Tensor, 'batch queries 2'], crop: Crop | None = None
) -> Float[Tensor, 'batch queries channels']:
    """An image at any coordinate, bilinearly interpolated; beyond the outermost pixel centres it stays as it is there.

    It is what `torch.nn.functional.grid_sample` gives, which knows no crops.

    Args:
        image: any image or feature map, or a crop of it.
        coord: (y, x), where the image spans [-1, 1].
        crop: which crop.
    """
    crop = crop or Crop.whole((image.shape[2], image.shape[3]))
    y = (((coord[..., 0] + 1) * crop.lr_size[0] - 1) / 2).clamp(crop.rows[0], crop.rows[-1])
    x = (((coord[..., 1] + 1) * crop.lr_size[1] - 1) / 2).clamp(crop.columns[0], crop.columns[-1])
    top, left = y.floor(), x.floor()

    pixels = image.flatten(2)
    result = image.new_zeros(coord.shape[0], image.shape[1], coord.shape[1])
    for down, right in itertools.product((0, 1), repeat=2):
        row = (top.long() + down).clamp(max=crop.rows[-1])
        column = (left.long() + right).clamp(max=crop.columns[-1])
        weight = (y - top if down else 1 - (y - top)) * (x - left if right else 1 - (x - left))
        index = crop.position_of(row, column)[:, None].expand(-1, image.shape[1], -1)
        result = result + pixels.gather(2, index) * weight[:, None]
    return result.transpose(1, 2)
