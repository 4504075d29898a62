"""The comparison of docs/recipes.md: six recipes, one small network, equal samples seen, three seeds.

    python -m docs.compare_recipes PICTURES FOLDER

trains on the folder PICTURES, tests on Set5 and B100, and writes checkpoints and tables to one folder per seed under
FOLDER. Stop it and run it again at will: what is finished is not done twice. On one core it takes about an hour.
"""

import argparse
from pathlib import Path

from Configuration import (
    BaseTestingConfiguration,
    CosineRestarts,
    MultiStep,
    TrainGradLoss,
    TrainGramL1Loss,
    TrainingConfiguration,
    TrainSGDR,
    TrainSimple,
    TrainSimpleLargerPatch,
    TrainSimpleLargerPatchScale,
)
from Configuration.FrozenConfiguration import Options
from Models import BenchmarkType, DecoderType, EncoderType, QualityType, SavedModelType
from Orchestrators.TestingOrchestrator import TestingOrchestrator
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from Utilities.command_line import run_command

RECIPES = (
    TrainSimple,
    TrainSimpleLargerPatch,
    TrainSimpleLargerPatchScale,
    TrainSGDR,
    TrainGradLoss,
    TrainGramL1Loss,
)


def small(
    kind: type[TrainingConfiguration], pictures: str, folder: Path, seed: int, decoder: DecoderType
) -> TrainingConfiguration:
    """A recipe with half its patch and everything else that makes it short, in the recipe's own proportions.

    The study halves the rate after each fifth of the run and restarts SGDR after a half; so does this.
    """
    hidden = (64, 64, 64)
    options = Options(hidden=hidden) if decoder is DecoderType.LIIF else Options(hidden=hidden, hidden_dim=64)
    return kind(
        encoder=EncoderType.EDSR,
        decoder=decoder,
        encoder_options=Options(n_resblocks=8, n_feats=32),
        decoder_options=options,
        input_patch=kind.input_patch // 2,
        train_data=pictures,
        valid_data=BenchmarkType.Photographs,
        repeat=3,
        batch_size=16,
        epochs=10,
        learning_rate=1e-3,
        schedule=CosineRestarts(5, minimum_rate=5e-6) if kind is TrainSGDR else MultiStep((2, 4, 6, 8)),
        seed=seed,
        validate_every=10,
        save_path=str(folder),
        trackers=(),
        curves=False,
        sample_pictures=0,
    )


def run(recipe: TrainingConfiguration, folder: Path) -> None:
    """Train and test one recipe, unless its table is there."""
    if not list((folder / 'results').glob(f'model_states_EDSR_{recipe.decoder.name}_{recipe.recipe_name}_*_last.csv')):
        TrainingOrchestrator(recipe).train()
        configuration = BaseTestingConfiguration(
            encoder=recipe.encoder,
            decoder=recipe.decoder,
            recipe=recipe.recipe,
            input_patch=recipe.input_patch,
            scale_range=recipe.scale_range,
            model_name=SavedModelType.Last,
            eval_scale=(2, 3, 4),
            metrics=(QualityType.PSNR, QualityType.SSIM),
            model_path=str(folder),
            result_path=str(folder / 'results'),
        )
        TestingOrchestrator(configuration).test(BenchmarkType.Set5, BenchmarkType.B100)


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('pictures', help='folder of training pictures')
    parser.add_argument('folder', type=Path, help='where checkpoints and tables go')
    parser.add_argument('--decoder', choices=['LIIF', 'LTE'], default='LIIF')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--recipes', type=int, default=len(RECIPES), help='only the first so many')
    arguments = parser.parse_args()
    for seed in range(arguments.seeds):
        folder = arguments.folder / f'seed{seed}'
        folder.mkdir(parents=True, exist_ok=True)
        for kind in RECIPES[: arguments.recipes]:
            run(small(kind, arguments.pictures, folder, seed, DecoderType[arguments.decoder]), folder)


if __name__ == '__main__':
    run_command(main, show_traceback=False)
