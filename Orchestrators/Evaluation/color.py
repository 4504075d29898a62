"""Color conversion."""

from jaxtyping import Float
from torch import Tensor


def luma(image: Float[Tensor, 'batch 3 height width']) -> Float[Tensor, 'batch 1 height width']:
    """Y of ITU-R BT.601 in its studio range, 16/255 to 235/255, as MATLAB's `rgb2ycbcr` and the field compute it.

    Args:
        image: RGB in [0, 1]. The result is not rounded.
    """
    weights = image.new_tensor([65.481, 128.553, 24.966]).view(1, 3, 1, 1)
    return ((image * weights).sum(dim=1, keepdim=True) + 16) / 255
