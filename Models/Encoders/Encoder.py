"""What every encoder promises."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Condition = dict[str, Tensor]
"""What is known of how each LR image was made, by name (such as the width of the blur): a row of numbers per image."""


class Encoder(nn.Module, ABC):
    """A network from an LR image to a feature map of the same height and width.

    An encoder takes the normalized image (SuperResolver does that), of any size, and states the channels it returns.
    """

    feature_dim: int
    """Channels of the feature map."""

    size_multiple: int = 1
    """`extract` sees images whose height and width are multiples of this."""

    feature_stride: int = 1
    """LR pixels to a feature vector, in both directions; it divides `size_multiple`. Above 1 for networks that
    unshuffle the image first, which have an upsampler of their own and no other decoder."""

    condition_names: tuple[str, ...] = ()
    """What it wants to be told of how the image was made; `extract` is given that, or None where it is unknown."""

    receptive_field: int | None = None
    """How many LR pixels to each side decide a feature. With this margin, a crop gives the features of the whole.
    None: no margin does."""

    native_reach: int | None = None
    """How many LR pixels of features and image to each side decide a color of `native_tail`, at any scale. None: no
    margin does, or there is no tail."""

    def forward(
        self, lr: Float[Tensor, 'batch 3 h w'], condition: Condition | None = None
    ) -> Float[Tensor, 'batch feature_dim map_h map_w']:
        """Features of a normalized image of any size, one vector per LR pixel (or `feature_stride`² of them)."""
        height, width = (-(-count // self.feature_stride) for count in lr.shape[2:])
        return self.extract_padded(lr, condition)[..., :height, :width]

    def extract_padded(
        self, lr: Float[Tensor, 'batch 3 h w'], condition: Condition | None = None
    ) -> Float[Tensor, 'batch feature_dim padded_h padded_w']:
        """Features of an image of any size, mirrored at the bottom and the right up to the next `size_multiple`."""
        return self.extract(mirror_to_multiple(lr, self.size_multiple), condition)

    @abstractmethod
    def extract(
        self, lr: Float[Tensor, 'batch 3 h w'], condition: Condition | None = None
    ) -> Float[Tensor, 'batch feature_dim map_h map_w']:
        """Features of a normalized image whose height and width are multiples of `size_multiple`.

        Args:
            lr: the image.
            condition: a row of numbers per image for each of `condition_names`; None where it is unknown.
        """

    def native_tail(self, scale: int) -> 'NativeTail':
        """The published upsampler of this network, with fresh weights.

        Args:
            scale: HR size over LR size.

        Raises:
            ValueError: if the network was not published with one, or not at this scale.
        """
        raise ValueError(f'{type(self).__name__} has no upsampler of its own (asked for scale {scale}).')


class NativeTail(nn.ModuleList):
    """Layers from features to the whole picture; a network whose answer is added to an interpolation says so here."""

    def forward(
        self, features: Float[Tensor, 'batch dim map_h map_w'], lr: Float[Tensor, 'batch 3 h w']
    ) -> Float[Tensor, 'batch 3 height width']:
        """The picture at HR.

        Args:
            features: of the image as `extract_padded` gives them; the picture may then be higher and wider than wanted.
            lr: the normalized image, for upsamplers that add to an interpolation of it.
        """
        for layer in self:
            features = layer(features)
        return features


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
