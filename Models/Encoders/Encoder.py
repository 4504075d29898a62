"""What every encoder promises."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Encoder(nn.Module, ABC):
    """A network from an LR image to a feature map of the same height and width.

    An encoder takes the normalized image (SuperResolver does that), of any size, and states the channels it returns.
    """

    feature_dim: int
    """Channels of the feature map."""

    size_multiple: int = 1
    """`extract` sees images whose height and width are multiples of this."""

    receptive_field: int | None = None
    """How many LR pixels to each side decide a feature. With this margin, a crop gives the features of the whole.
    None: no margin does."""

    def forward(self, lr: Float[Tensor, 'batch 3 h w']) -> Float[Tensor, 'batch feature_dim h w']:
        """Features of a normalized image of any size, one vector per LR pixel."""
        return self.extract_padded(lr)[..., : lr.shape[2], : lr.shape[3]]

    def extract_padded(self, lr: Float[Tensor, 'batch 3 h w']) -> Float[Tensor, 'batch feature_dim padded_h padded_w']:
        """Features of an image of any size, mirrored at the bottom and the right up to the next `size_multiple`."""
        return self.extract(mirror_to_multiple(lr, self.size_multiple))

    @abstractmethod
    def extract(self, lr: Float[Tensor, 'batch 3 h w']) -> Float[Tensor, 'batch feature_dim h w']:
        """Features of a normalized image whose height and width are multiples of `size_multiple`."""

    def native_tail(self, scale: int) -> nn.Module:
        """The published upsampler of this network, with fresh weights: from its features to colors at HR.

        Args:
            scale: HR size over LR size.

        Raises:
            ValueError: if the network was not published with one, or not at this scale.
        """
        raise ValueError(f'{type(self).__name__} has no upsampler of its own (asked for scale {scale}).')


def mirror_to_multiple(
    image: Float[Tensor, 'batch channels h w'], multiple: int
) -> Float[Tensor, 'batch channels padded_h padded_w']:
    """Continue an image at the bottom and the right, mirrored without repeating the edge, to a multiple in size.

    An image that is smaller than what is missing is mirrored back and forth.
    """
    height, width = image.shape[2:]
    if height % multiple:
        image = image[:, :, _mirrored(height, height + -height % multiple, image.device)]
    if width % multiple:
        image = image[:, :, :, _mirrored(width, width + -width % multiple, image.device)]
    return image


def _mirrored(count: int, padded: int, device: torch.device) -> Int[Tensor, '{padded}']:
    """Where the pixels of a padded row come from: 0 1 2 1 0 1 ... for three pixels."""
    last = count - 1
    position = torch.arange(padded, device=device) % max(2 * last, 1)
    return last - (position - last).abs()
