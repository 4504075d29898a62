from enum import Enum


class DecoderType(Enum):
    """The decoders: networks that read colors out of a feature map at any coordinate.

    A member names its class and file: `DecoderType.LIIF` is the class `LIIF` in `Models/Decoders/LIIF.py`.
    """

    LIIF = 'LIIF'
    """Local implicit image function."""

    CiaoSR = 'CiaoSR'
    """Continuous implicit attention-in-attention network."""

    CLIT = 'CLIT'
    """Cascaded local implicit transformer."""
