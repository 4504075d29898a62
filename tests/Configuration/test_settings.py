"""Settings in groups: joined by inheritance, each checked where it is, and free of what its users do not know."""

import ast
import dataclasses
import inspect
import sys
from typing import Any

import pytest

from Configuration import Cosine, TrainingConfiguration, TrainSimple
from Configuration.FrozenConfiguration import FrozenConfiguration
from Configuration.settings.ComputationSettings import ComputationSettings
from Configuration.settings.DataSettings import DataSettings
from Configuration.settings.OptimizationSettings import OptimizationSettings
from Configuration.settings.RunSettings import RunSettings
from Configuration.settings.SamplingSettings import SamplingSettings
from Configuration.settings.ValidationSettings import ValidationSettings

GROUPS = (
    DataSettings, SamplingSettings, ValidationSettings, OptimizationSettings, ComputationSettings,
)  # fmt: skip
FOR_ANY_NETWORK = (OptimizationSettings, RunSettings, ComputationSettings)


class TrainRanker(OptimizationSettings, ComputationSettings):
    """A kind of training that is not super-resolution."""

    recipe: str = 'Ranker'
    epochs = 7


class TrainRankerLonger(TrainRanker):
    schedule = Cosine(minimum_rate=1e-6)
    epochs = 9


def names_of(group: type[FrozenConfiguration]) -> set[str]:
    return {field.name for field in dataclasses.fields(group)}  # type: ignore[arg-type]


def test_groups_are_joined_by_inheritance_whatever_the_network_is() -> None:
    recipe = TrainRankerLonger(precision='bfloat16')
    assert (recipe.epochs, recipe.schedule, recipe.precision) == (9, Cosine(1e-6), 'bfloat16')
    assert TrainRanker().epochs == 7
    assert 'epochs' in TrainRanker().may_change_on_resume
    assert 'epochs' not in recipe.may_change_on_resume
    with pytest.raises(ValueError, match='best_after_epoch must be less than epochs, got 9 and 9'):
        TrainRankerLonger(best_after_epoch=9)
    with pytest.raises(ValueError, match="has no setting 'scale_range'"):
        TrainRanker(scale_range=(1, 4))  # type: ignore[call-arg]


def test_what_may_change_on_resuming_is_the_run() -> None:
    assert set(TrainSimple().may_change_on_resume) == names_of(RunSettings)
    for group in (DataSettings, SamplingSettings, ValidationSettings, ComputationSettings):
        assert not names_of(group) & names_of(RunSettings), group


def test_no_setting_is_in_two_groups_and_none_is_lost() -> None:
    shared = names_of(SamplingSettings) & {'encoder', 'decoder', 'recipe', 'input_patch', 'scale_range'}
    every = [name for group in GROUPS for name in names_of(group) - shared]
    assert len(every) == len(set(every))
    assert set(every) | shared | {'encoder_options', 'decoder_options'} == names_of(TrainingConfiguration)


@pytest.mark.parametrize('group', FOR_ANY_NETWORK)
def test_the_groups_of_any_network_know_nothing_of_super_resolution(group: type[FrozenConfiguration]) -> None:
    allowed = {
        'Configuration.FrozenConfiguration', 'Configuration.optimizers', 'Configuration.schedules',
        'Configuration.settings.RunSettings', 'Models.TrackerType', 'dataclasses', 'typing',
    }  # fmt: skip
    tree = ast.parse(inspect.getsource(sys.modules[group.__module__]))
    assert {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} <= allowed


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'train_lr_data': 'mine/LR', 'train_data': 'mine/HR'}, r'train_lr_data must hold \{scale\} where'),
        ({'train_lr_data': ('a{scale}', 'b{scale}')}, 'one entry for each of train_data, got 2 and 1'),
        ({'train_data': ()}, 'train_data must name at least one'),
    ],
)
def test_settings_of_several_groups_are_compared(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainSimple(**settings)
