"""The recipes, in one window. Add your own by subclassing one, here or in `train.py`.

Lengths, batch, rate and milestones are those of the empirical study arXiv 2601.17723: 100 epochs of 1000 steps on DIV2K
(800 pictures, each cropped 40 times), batch 32, Adam at 4e-4, halved after epochs 20, 40, 60 and 80. That is a fifth of
the samples that LIIF's own protocol sees (1000 epochs of 1000 steps, batch 16, 1e-4, halved after 200, 400, 600, 800).
"""

from Configuration.FrozenConfiguration import Options
from Configuration.TrainingConfiguration import TrainingConfiguration
from Models.BenchmarkType import BenchmarkType
from Models.RecipeType import RecipeType


class TrainSimple(TrainingConfiguration):
    """L1 on scattered pixels of 48x48 LR patches, scales 1 to 4."""

    recipe = RecipeType.Simple


class TrainSimpleLargerPatch(TrainSimple):
    """As TrainSimple, with 64x64 LR patches and 64x64 queries."""

    recipe = RecipeType.SimpleLargerPatch
    input_patch = 64


class TrainSimpleLargerPatchScale(TrainSimpleLargerPatch):
    """As TrainSimpleLargerPatch, with scales 1 to 6."""

    recipe = RecipeType.SimpleLargerPatchScale
    scale_range = (1, 6)


class TrainQuickStart(TrainSimple):
    """A small network on the embedded photographs: shows that everything works, in minutes on a CPU.

    Five pictures teach a network little: this is no basis for science.
    """

    recipe = RecipeType.QuickStart
    train_data = BenchmarkType.Photographs
    valid_data = BenchmarkType.Photographs
    encoder_options = Options(n_resblocks=8, n_feats=32)
    decoder_options = Options(hidden=(64, 64, 64))
    input_patch = 24
    repeat = 192
    batch_size = 8
    epochs = 20
    learning_rate = 1e-3
    milestones = (12, 16, 18)
    validate_every = 5
