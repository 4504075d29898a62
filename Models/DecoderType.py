from enum import Enum


class DecoderType(Enum):
    """The decoders: networks that read colors out of a feature map at any coordinate.

    A member names its class and file: `DecoderType.LIIF` is the class `LIIF` in `Models/Decoders/LIIF.py`.
    """

    LIIF = 'LIIF'
    """Local implicit image function."""

    Native = 'Native'
    """The encoder's own upsampler at one whole scale, 4 by default."""

    MetaSR = 'MetaSR'
    """Filters predicted for each pixel."""

    LTE = 'LTE'
    """Local texture estimator, by waves; LTE+ too."""

    LINF = 'LINF'
    """Local implicit normalizing flow, which samples pictures."""

    SRNO = 'SRNO'
    """Super-resolution neural operator: attention over all queries."""

    HIIF = 'HIIF'
    """Hierarchical encoding based implicit image function: attention over all queries."""

    CiaoSR = 'CiaoSR'
    """Continuous implicit attention-in-attention network."""

    CLIT = 'CLIT'
    """Cascaded local implicit transformer."""
