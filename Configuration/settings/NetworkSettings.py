from Configuration.FrozenConfiguration import Options
from Configuration.ModelConfiguration import ModelConfiguration
from Models.RecipeType import RecipeType


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
