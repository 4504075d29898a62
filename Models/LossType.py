from enum import Enum


class LossType(Enum):
    """The losses. A member names its class and file: `LossType.PixelL1` is `PixelL1` in `Losses/PixelL1.py`."""

    PixelL1 = 'PixelL1'
    """Mean absolute difference of colors."""

    PixelMSE = 'PixelMSE'
    """Mean squared difference of colors."""

    Charbonnier = 'Charbonnier'
    """L1, rounded off at zero."""

    GradientL1 = 'GradientL1'
    """Mean absolute difference of Sobel gradients; needs neighboring pixels."""

    GramRGB = 'GramRGB'
    """Mean squared difference of the Gram matrices of red, green and blue."""

    GramVGG = 'GramVGG'
    """Squared distance of the Gram matrices of VGG19's features; needs neighboring pixels and VGG19's weights."""

    Perceptual = 'Perceptual'
    """Distance of VGG's features; needs neighboring pixels and VGG's weights."""

    Own = 'Own'
    """The decoder's own loss, for decoders that have one, such as LINF's likelihood."""
