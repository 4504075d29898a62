"""What names the files of a trained network, and what else is to be said of one that is trained."""

import re
from typing import Annotated

from Configuration.FrozenConfiguration import FrozenConfiguration, Options, Range
from Models.DecoderType import DecoderType
from Models.EncoderType import EncoderType
from Models.RecipeType import RecipeType

Scale = Annotated[float, Range(1, 64)]
"""HR size over LR size."""

_RECIPE_NAME = re.compile(r'[A-Za-z0-9-]{1,40}')


class ModelConfiguration(FrozenConfiguration):
    """The settings that are part of a checkpoint's name."""

    encoder: EncoderType = EncoderType.EDSR
    """Network that makes features from the LR image."""

    decoder: DecoderType = DecoderType.LIIF
    """Network that reads colors out of the features."""

    recipe: RecipeType | str = RecipeType.Simple
    """Name of the recipe: a member, or letters, digits and hyphens, at most 40; underscores separate a file name's
    parts."""

    input_patch: Annotated[int, Range(4, 4096)] = 48
    """Side of an LR training patch in pixels."""

    scale_range: tuple[Scale, Scale] = (1, 4)
    """Smallest and largest scale trained on."""

    @property
    def recipe_name(self) -> str:
        """The recipe's name as it stands in file names."""
        return self.recipe.name if isinstance(self.recipe, RecipeType) else self.recipe

    def check(self) -> None:
        """Refuse a recipe name that is no file name, and a scale range that falls."""
        super().check()
        if not _RECIPE_NAME.fullmatch(self.recipe_name):
            raise ValueError(
                'recipe must be 1 to 40 letters, digits or hyphens, as it is part of file names, '
                f'got {self.recipe_name!r}.'
            )
        if self.scale_range[0] > self.scale_range[1]:
            raise ValueError(f'scale_range must be (smallest, largest), got {self.scale_range}.')


class NetworkSettings(ModelConfiguration):
    """Which network is trained, and the name that it is known by."""

    encoder_options: Options = Options()
    """Arguments of the encoder's class, such as `{'n_resblocks': 32, 'n_feats': 256, 'res_scale': 0.1}`.
    Empty: the published network, for EDSR its baseline."""

    decoder_options: Options = Options()
    """Arguments of the decoder's class. Empty: the published network."""

    recipe: RecipeType | str = ''
    """Name of the recipe in file names. Empty: the class's name without `Train`, so that a recipe of one's own never
    overwrites the weights of the one it derives from."""

    def __post_init__(self) -> None:
        if self.recipe == '':
            object.__setattr__(self, 'recipe', type(self).__name__.removeprefix('Train') or type(self).__name__)
        super().__post_init__()

    def __init_subclass__(cls) -> None:
        # Each class is a recipe of its own, also when its parent has named itself.
        if 'recipe' not in vars(cls):
            cls.recipe = ''
        super().__init_subclass__()
