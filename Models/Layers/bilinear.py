"""The interpolated LR image that many networks add their answer to."""

import itertools

import torch
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
    first = torch.tensor([crop.rows[0], crop.columns[0]], device=coord.device)
    last = torch.tensor([crop.rows[-1], crop.columns[-1]], device=coord.device)
    position = ((coord + 1) * coord.new_tensor(crop.lr_size) - 1) / 2
    position = position.maximum(first.to(position)).minimum(last.to(position))
    upper_left = position.floor().long()
    share = position - upper_left  # of the lower and of the right neighbor

    pixels = image.flatten(2)
    result = image.new_zeros(coord.shape[0], image.shape[1], coord.shape[1])
    for down, right in itertools.product((0, 1), repeat=2):
        neighbor = (upper_left + torch.tensor([down, right], device=coord.device)).minimum(last)
        index = crop.position_of(neighbor[..., 0], neighbor[..., 1])[:, None].expand(-1, image.shape[1], -1)
        weight_y = share[..., 0] if down else 1 - share[..., 0]
        weight_x = share[..., 1] if right else 1 - share[..., 1]
        result = result + pixels.gather(2, index) * (weight_y * weight_x)[:, None]
    return result.transpose(1, 2)
