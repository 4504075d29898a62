"""Train a super-resolution network: uncomment one recipe, then `python train.py`.

Run it again to continue a run that was stopped. Add a recipe by subclassing one:

    class TrainMine(TrainSimple):
        epochs = 500
"""

from Configuration import *  # every recipe, schedule and loss term, by its name
from Models import DecoderType, EncoderType
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from Utilities.command_line import run_command


def main() -> None:
    """Train the uncommented recipe."""
    # A small network on photographs that are already here: minutes on a CPU.
    recipe = TrainQuickStart(encoder=EncoderType.EDSR, decoder=DecoderType.LIIF)

    # On DIV2K, under ./datasets: 48x48 LR patches, scales 1 to 4.
    # recipe = TrainSimple(encoder=EncoderType.EDSR, decoder=DecoderType.LIIF)

    # The same with 64x64 LR patches; and with scales 1 to 6 as well.
    # recipe = TrainSimpleLargerPatch(encoder=EncoderType.EDSR, decoder=DecoderType.LIIF)
    # recipe = TrainSimpleLargerPatchScale(encoder=EncoderType.EDSR, decoder=DecoderType.LIIF)

    # As TrainSimple, but: cosine annealing with a warm restart; a gradient loss; a Gram loss.
    # recipe = TrainSGDR(encoder=EncoderType.EDSR, decoder=DecoderType.LIIF)
    # recipe = TrainGradLoss(encoder=EncoderType.EDSR, decoder=DecoderType.LIIF)
    # recipe = TrainGramL1Loss(encoder=EncoderType.EDSR, decoder=DecoderType.LIIF)

    # Published protocols, named for their papers, several times as long; for any decoder.
    # recipe = TrainLIIF(encoder=EncoderType.EDSR, decoder=DecoderType.LIIF)
    # recipe = TrainLTE(encoder=EncoderType.EDSR, decoder=DecoderType.LTE)
    # recipe = TrainSRNO(encoder=EncoderType.EDSR, decoder=DecoderType.SRNO)
    # recipe = TrainHIIF(encoder=EncoderType.EDSR, decoder=DecoderType.HIIF)
    # recipe = TrainCiaoSR(encoder=EncoderType.EDSR, decoder=DecoderType.CiaoSR)

    TrainingOrchestrator(recipe).train()


if __name__ == '__main__':
    run_command(main)
