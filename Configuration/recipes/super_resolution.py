"""The recipes of super-resolution. Add your own by subclassing one, here or in `train.py`.

Lengths, batch, rate and milestones are those of the empirical study arXiv 2601.17723: 100 epochs of 1000 steps on DIV2K
(800 pictures, each cropped 40 times), batch 32, Adam at 4e-4, halved after epochs 20, 40, 60 and 80. That is a fifth of
the samples that LIIF's own protocol sees.

Below them are published protocols, named for their papers. What can't be followed exactly is the same in all of them:
validation is on whole pictures, where LIIF and its successors score random crops of ten, so `best` may be another
epoch; and the random numbers are ours.
"""

from Configuration.FrozenConfiguration import Options
from Configuration.schedules import Cosine, CosineRestarts, MultiStep
from Configuration.TrainingConfiguration import LossTerm, TrainingConfiguration
from Models.BenchmarkType import BenchmarkType
from Models.DecoderType import DecoderType
from Models.LossType import LossType
from Models.RecipeType import RecipeType
from Models.SamplingType import SamplingType


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


class TrainSGDR(TrainSimple):
    """As TrainSimple, by cosine annealing from 4e-4 to 2e-6 that starts anew after epoch 50.

    Loshchilov, Hutter, ICLR 2017, https://arxiv.org/abs/1608.03983.
    """

    recipe = RecipeType.SGDR
    schedule = CosineRestarts(first_period=50, minimum_rate=2e-6)


class TrainGradLoss(TrainSimple):
    """As TrainSimple, plus half the L1 between Sobel gradients, of windows.

    The study's own code took the gradients of scattered pixels, which have none; hence windows here.
    """

    recipe = RecipeType.GradLoss
    losses = (LossTerm(LossType.PixelL1), LossTerm(LossType.GradientL1, 0.5))
    sampling = SamplingType.Window


class TrainGramL1Loss(TrainSimple):
    """As TrainSimple, plus half the squared difference of the Gram matrices of red, green and blue."""

    recipe = RecipeType.GramL1Loss
    losses = (LossTerm(LossType.PixelL1), LossTerm(LossType.GramRGB, 0.5))


class TrainLIIF(TrainSimple):
    """LIIF, and MetaSR beside it: 1000 epochs of 1000 steps, batch 16, 1e-4, halved after 200, 400, 600, 800.

    Chen, Liu, Wang, CVPR 2021, https://arxiv.org/abs/2012.09161, and the settings in yinboc/liif.
    """

    recipe = RecipeType.LIIF
    repeat = 20
    batch_size = 16
    learning_rate = 1e-4
    epochs = 1000
    schedule = MultiStep((200, 400, 600, 800))


class TrainLTE(TrainLIIF):
    """LTE with EDSR or RDN, whose protocol is LIIF's.

    Lee, Jin, CVPR 2022, https://arxiv.org/abs/2111.08918. With SwinIR it was trained with batch_size = 32,
    learning_rate = 2e-4 and schedule = MultiStep((500, 800, 900, 950)).
    """

    recipe = RecipeType.LTE
    decoder = DecoderType.LTE


class TrainSRNO(TrainSimple):
    """SRNO: 1050 epochs of 250 steps, batch 64, 128x128 LR patches and as many queries, validated at x2.

    Wei, Zhang, CVPR 2023, https://arxiv.org/abs/2303.02584. The rate rises from 4e-5 to 4e-4 in 50 epochs and falls
    along half a cosine to zero. Its code has an Adam of its own; here it is torch's.
    """

    recipe = RecipeType.SRNO
    decoder = DecoderType.SRNO
    input_patch = 128
    repeat = 20
    batch_size = 64
    valid_scales = (2,)
    learning_rate = 4e-4
    epochs = 1050
    schedule = Cosine(warmup=50, warmup_start=0.1)


class TrainHIIF(TrainSimple):
    """HIIF: 1050 epochs of 2000 steps, batch 16.

    Jiang et al., CVPR 2025, https://arxiv.org/abs/2412.03748; the settings are those of a copy of its code, as the
    authors' were not to be had. The rate rises from 2e-6 to 4e-4 in 50 epochs and falls along half a cosine to 2e-6.
    """

    recipe = RecipeType.HIIF
    decoder = DecoderType.HIIF
    repeat = 40
    batch_size = 16
    learning_rate = 4e-4
    epochs = 1050
    schedule = Cosine(minimum_rate=2e-6, warmup=50, warmup_start=0.005)


class TrainCiaoSR(TrainLIIF):
    """CiaoSR with EDSR or RDN: a million steps, batch 16, 1e-4, halved each 200 000 steps.

    Cao et al., CVPR 2023, https://arxiv.org/abs/2212.04362. It counts steps, not epochs; on DIV2K these are LIIF's 1000
    epochs of 1000. With SwinIR it was trained with 10 samples on each GPU.
    """

    recipe = RecipeType.CiaoSR
    decoder = DecoderType.CiaoSR


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
    schedule = MultiStep((12, 16, 18))
    validate_every = 5
