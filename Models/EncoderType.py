from enum import Enum


class EncoderType(Enum):
    """The encoders: networks that turn an LR image into a feature map of the same height and width.

    A member names its class and file: `EncoderType.EDSR` is the class `EDSR` in `Models/Encoders/EDSR.py`.
    """

    EDSR = 'EDSR'
    """Enhanced deep residual network; baseline (16 blocks of 64) by default, large by `encoder_options`."""

    RDN = 'RDN'
    """Residual dense network; the paper's network B by default."""

    RCAN = 'RCAN'
    """Residual channel attention network."""

    SwinIR = 'SwinIR'
    """Transformer with attention in shifted windows; the paper's classical network by default."""
