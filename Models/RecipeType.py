from enum import Enum


class RecipeType(Enum):
    """The recipes that ship with the framework.

    `RecipeType.Simple` is the class `TrainSimple` in `Configuration/recipes/super_resolution.py`.
    A recipe of the user's own needs no member here: it is named after its class.
    """

    QuickStart = 'QuickStart'
    """A small network on the embedded photographs, for a first look; minutes on a CPU."""

    Simple = 'Simple'
    """L1, 48x48 LR patches, scales 1 to 4."""

    SimpleLargerPatch = 'SimpleLargerPatch'
    """As Simple, with 64x64 LR patches."""

    SimpleLargerPatchScale = 'SimpleLargerPatchScale'
    """As Simple, with 64x64 LR patches and scales 1 to 6."""

    SGDR = 'SGDR'
    """As Simple, by cosine annealing with a warm restart."""

    GradLoss = 'GradLoss'
    """As Simple, with the gradient loss besides L1, on windows."""

    GramL1Loss = 'GramL1Loss'
    """As Simple, with the Gram loss of the colors besides L1."""

    LIIF = 'LIIF'
    """As LIIF, and MetaSR beside it, was trained."""

    LTE = 'LTE'
    """As LTE was trained with EDSR and RDN: LIIF's protocol."""

    SRNO = 'SRNO'
    """As SRNO was trained: 128x128 LR patches, warm-up, cosine."""

    HIIF = 'HIIF'
    """As HIIF was trained: warm-up, cosine."""

    CiaoSR = 'CiaoSR'
    """As CiaoSR was trained with EDSR and RDN: a million steps."""
