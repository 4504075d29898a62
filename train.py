"""Train a super-resolution network: uncomment one recipe, then `python train.py`.

Run it again to continue a run that was stopped. Add a recipe by subclassing one:

    class TrainMine(TrainSimple):
        epochs = 500
"""

from Configuration import TrainQuickStart, TrainSimple, TrainSimpleLargerPatch, TrainSimpleLargerPatchScale  # noqa: F401
from Models import DecoderType, EncoderType
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from Utilities.command_line import run_command


def main() -> None:
    """Train the uncommented recipe."""
    # A small network on photographs that are already here: minutes on a CPU.
    recipe = TrainQuickStart(encoder=EncoderType.EDSR, decoder=DecoderType.LIIF)

    # On DIV2K, under ./datasets: 48x48 LR patches, scales 1 to 4.
    # recipe = TrainSimple(encoder=EncoderType.EDSR, decoder=DecoderType.LIIF)

    # The same with 64x64 LR patches.
    # recipe = TrainSimpleLargerPatch(encoder=EncoderType.EDSR, decoder=DecoderType.LIIF)

    # The same with 64x64 LR patches and scales 1 to 6.
    # recipe = TrainSimpleLargerPatchScale(encoder=EncoderType.EDSR, decoder=DecoderType.LIIF)

    TrainingOrchestrator(recipe).train()


if __name__ == '__main__':
    run_command(main)
