from enum import Enum


class RecipeType(Enum):
    """The recipes that ship with the framework.

    `RecipeType.Simple` is the class `TrainSimple` in `Configuration/recipes.py`.
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
