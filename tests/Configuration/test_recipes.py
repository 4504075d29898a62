"""The recipes are what their names, the study and the papers say."""

from typing import Any

import pytest

from Configuration import (
    Constant,
    Cosine,
    CosineRestarts,
    LossTerm,
    MultiStep,
    OneCycle,
    ReduceOnPlateau,
    TrainCiaoSR,
    TrainGradLoss,
    TrainGramL1Loss,
    TrainHIIF,
    TrainLIIF,
    TrainLTE,
    TrainQuickStart,
    TrainSGDR,
    TrainSimple,
    TrainSimpleLargerPatch,
    TrainSimpleLargerPatchScale,
    TrainSRNO,
)
from Configuration.schedules import Schedule
from Configuration.TrainingConfiguration import TrainingConfiguration
from Models import BenchmarkType, LossType, SamplingType


@pytest.mark.parametrize(
    ('recipe', 'patch', 'scales'),
    [
        (TrainSimple(), 48, (1, 4)),
        (TrainSimpleLargerPatch(), 64, (1, 4)),
        (TrainSimpleLargerPatchScale(), 64, (1, 6)),
        (TrainSGDR(), 48, (1, 4)),
        (TrainGradLoss(), 48, (1, 4)),
        (TrainGramL1Loss(), 48, (1, 4)),
    ],
)
def test_recipes_follow_the_study(recipe: TrainingConfiguration, patch: int, scales: tuple[int, int]) -> None:
    """arXiv 2601.17723: 100 epochs, batch 32, Adam 4e-4 halved at 20, 40, 60, 80; DIV2K, each picture 40 times."""
    assert (recipe.input_patch, recipe.scale_range) == (patch, scales)
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate, recipe.repeat) == (100, 32, 4e-4, 40)
    if not isinstance(recipe, TrainSGDR):
        assert recipe.schedule == MultiStep((20, 40, 60, 80), gamma=0.5)
    assert recipe.train_data is BenchmarkType.DIV2K


def test_the_quick_start_needs_no_data() -> None:
    recipe = TrainQuickStart()
    assert recipe.train_data is recipe.valid_data is BenchmarkType.Photographs


def test_the_studys_other_recipes_differ_in_one_thing() -> None:
    """arXiv 2601.17723: warm restarts each 50 epochs down to 2e-6; losses of weight 0.5 besides L1."""
    sgdr, gradient, gram = TrainSGDR(), TrainGradLoss(), TrainGramL1Loss()
    assert sgdr.schedule == CosineRestarts(first_period=50, growth=1, minimum_rate=2e-6)
    assert gradient.losses == (LossTerm(LossType.PixelL1, 1), LossTerm(LossType.GradientL1, 0.5))
    assert gram.losses == (LossTerm(LossType.PixelL1, 1), LossTerm(LossType.GramRGB, 0.5))
    assert gradient.sampling is SamplingType.Window
    assert sgdr.losses == TrainSimple().losses


@pytest.mark.parametrize(
    ('recipe', 'steps', 'batch', 'patch', 'rate', 'epochs'),
    [
        (TrainLIIF(), 1000, 16, 48, 1e-4, 1000),
        (TrainLTE(), 1000, 16, 48, 1e-4, 1000),
        (TrainSRNO(), 250, 64, 128, 4e-4, 1050),
        (TrainHIIF(), 2000, 16, 48, 4e-4, 1050),
        (TrainCiaoSR(), 1000, 16, 48, 1e-4, 1000),
    ],
)
def test_published_protocols(
    recipe: TrainingConfiguration, steps: int, batch: int, patch: int, rate: float, epochs: int
) -> None:
    """LIIF, LTE and SRNO: their repositories' configurations. HIIF: a copy of its code. CiaoSR: its configuration."""
    assert 800 * recipe.repeat / recipe.batch_size == steps  # DIV2K has 800 training pictures.
    assert (recipe.batch_size, recipe.input_patch, recipe.learning_rate) == (batch, patch, rate)
    assert (recipe.epochs, recipe.scale_range, recipe.queries) == (epochs, (1, 4), None)
    assert recipe.train_data is BenchmarkType.DIV2K
    assert recipe.losses is None, 'what the decoder was published with'
    assert recipe.schedule in {
        MultiStep((200, 400, 600, 800), gamma=0.5),
        Cosine(minimum_rate=0, warmup=50, warmup_start=0.1),
        Cosine(minimum_rate=2e-6, warmup=50, warmup_start=0.005),
    }


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'sampling': SamplingType.Window, 'queries': 60}, 'square number for SamplingType.Window, such as 49 or 64'),
        ({'sampling': SamplingType.Crop, 'queries': 64}, 'queries has no effect with SamplingType.Crop'),
        ({'input_patch': 9, 'scale_range': (1.15, 2), 'queries': 105}, 'queries must be at most 100'),
        ({'schedule': Cosine(1e-3)}, 'minimum_rate of the schedule must be at most learning_rate, 0.0004, got 0.001'),
        ({'schedule': Constant(warmup=100)}, 'warmup of the schedule must be less than epochs, got 100 and 100'),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainSimple(**settings)


def test_a_setting_that_decides_the_rates_may_not_change_on_resuming() -> None:
    """Other epochs would be another cosine wave."""
    assert 'epochs' in TrainSimple().may_change_on_resume
    assert 'epochs' in TrainSGDR().may_change_on_resume
    schedules: tuple[Schedule, ...] = (Cosine(), OneCycle())
    for schedule in schedules:
        assert 'epochs' not in TrainSimple(schedule=schedule).may_change_on_resume
    assert 'validate_every' not in TrainSimple(schedule=ReduceOnPlateau()).may_change_on_resume
