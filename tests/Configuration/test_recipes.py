"""The recipes are what their names and the study say."""

import pytest

from Configuration import TrainQuickStart, TrainSimple, TrainSimpleLargerPatch, TrainSimpleLargerPatchScale
from Configuration.TrainingConfiguration import TrainingConfiguration
from Models import BenchmarkType


@pytest.mark.parametrize(
    ('recipe', 'patch', 'scales'),
    [
        (TrainSimple(), 48, (1, 4)),
        (TrainSimpleLargerPatch(), 64, (1, 4)),
        (TrainSimpleLargerPatchScale(), 64, (1, 6)),
    ],
)
def test_recipes_follow_the_study(recipe: TrainingConfiguration, patch: int, scales: tuple[int, int]) -> None:
    """arXiv 2601.17723: 100 epochs, batch 32, Adam 4e-4 halved at 20, 40, 60, 80; DIV2K, each picture 40 times."""
    assert (recipe.input_patch, recipe.scale_range) == (patch, scales)
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.repeat) == (100, 32, 4e-4, 40)
    assert (recipe.milestones, recipe.gamma) == ((20, 40, 60, 80), 0.5)
    assert recipe.train_data is BenchmarkType.DIV2K


def test_the_quick_start_needs_no_data() -> None:
    recipe = TrainQuickStart()
    assert recipe.train_data is recipe.valid_data is BenchmarkType.Photographs
