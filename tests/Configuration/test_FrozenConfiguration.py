"""Subclassing alone makes a checked, frozen configuration."""

import dataclasses
import json
import math
import pickle
import re
from typing import Any

import pytest

from Configuration import BaseTestingConfiguration, Cosine, LossTerm, Options, TrainingConfiguration, TrainSimple
from Configuration.FrozenConfiguration import FrozenConfiguration, Value
from Configuration.protocols import Protocol
from Configuration.schedules import BaseSchedule
from Models import BenchmarkType, DecoderType, EncoderType, LossType, RecipeType, TrackerType

OF_THEIR_CLASS = {'minimum_rate', 'gamma'}
"""Numbers of schedules whose class's docstring says what they are."""


class TrainMine(TrainSimple):
    epochs = 500


class TrainMineDeeper(TrainMine):
    batch_size = 3
    note: str = 'new setting'


class TrainMineDeepest(TrainMineDeeper):
    epochs = 7


def test_a_bare_assignment_takes_effect_at_every_depth() -> None:
    assert TrainMine().epochs == 500
    assert (TrainMineDeeper().epochs, TrainMineDeeper().batch_size, TrainMineDeeper().note) == (500, 3, 'new setting')
    assert (TrainMineDeepest().epochs, TrainMineDeepest().batch_size) == (7, 3)
    assert TrainSimple().epochs == 100


def test_settings_are_given_by_name_and_override_the_class() -> None:
    assert TrainMine(epochs=2).epochs == 2
    with pytest.raises(ValueError, match='by name, got 5'):
        TrainMine(5)  # type: ignore[misc]


def test_a_configuration_is_frozen_comparable_and_picklable() -> None:
    recipe = TrainMine(seed=4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.epochs = 3  # type: ignore[misc]
    assert recipe == TrainMine(seed=4) != TrainMine(seed=5)
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    assert dataclasses.replace(recipe, epochs=3).epochs == 3
    assert hash(recipe) == hash(TrainMine(seed=4))


def test_to_dict_is_plain_json() -> None:
    recipe = TrainSimple(
        encoder_options={'n_feats': 8, 'widths': [1, 2]}, losses=(LossTerm(LossType.PixelL1),), schedule=Cosine(1e-6)
    )
    plain = recipe.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain['encoder'] == 'EDSR'
    assert plain['encoder_options'] == {'n_feats': 8, 'widths': [1, 2]}
    assert plain['losses'] == [{'loss': 'PixelL1', 'weight': 1.0, 'options': {}}]
    assert plain['schedule'] == {
        'kind': 'Cosine', 'minimum_rate': 1e-6, 'warmup': 0, 'warmup_start': 0.1, 'counted': 'epochs',
    }  # fmt: skip


def test_a_recipe_without_a_name_is_named_after_its_class() -> None:
    assert TrainMine().recipe_name == 'Mine'
    assert TrainMineDeeper().recipe_name == 'MineDeeper'
    assert TrainSimple().recipe is RecipeType.Simple


def test_options_can_not_be_changed() -> None:
    options = TrainSimple(encoder_options={'n_feats': 8}).encoder_options
    assert options == {'n_feats': 8}
    with pytest.raises(TypeError):
        options['n_feats'] = 9  # type: ignore[index]


@pytest.mark.parametrize(
    ('body', 'message'),
    [
        ({'epcohs': 500}, "has no setting 'epcohs'. Did you mean 'epochs'"),
        ({'epochs': 'many'}, "epochs must be a whole number at least 1, got 'many'"),
        ({'epochs': 0}, 'at least 1, got 0'),
        ({'encoder_options': 3}, 'a dictionary of options by name, got 3'),
        (
            {'valid_scales': [1, 2]},
            r'a tuple in which each entry is .* from 1 to 64, .* Did you mean valid_scales = \(1, 2\)',
        ),
    ],
)
def test_a_mistake_in_a_subclass_fails_when_it_is_defined(body: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        type('TrainWrong', (TrainSimple,), body)


# FAULTS case 40: each is refused with the setting's name and what is allowed.
WRONG_TRAINING = [
    ({'epcohs': 3}, "Did you mean 'epochs'"),
    ({'nonsense': 3}, 'There are: '),
    ({'encoder': 'EDSR'}, r'an EncoderType \(EDSR.*Did you mean encoder = EncoderType.EDSR'),
    ({'decoder': EncoderType.EDSR}, 'a DecoderType'),
    ({'scale_range': (4, 1)}, r'\(smallest, largest\), got \(4, 1\)'),
    ({'scale_range': (0, 4)}, 'from 1 to 64'),
    ({'scale_range': (1, 2, 3)}, 'a tuple of'),
    ({'scale_range': (1, math.inf)}, 'from 1 to 64'),
    ({'input_patch': 0}, 'from 4 to 4096, got 0'),
    ({'input_patch': 48.0}, 'a whole number'),
    ({'input_patch': True}, 'a whole number'),
    ({'learning_rate': -1e-4}, 'learning_rate must be a finite number'),
    ({'learning_rate': math.nan}, 'learning_rate must be a finite number'),
    ({'learning_rate': '1e-4'}, "got '1e-4'"),
    ({'batch_size': 0}, 'at least 1'),
    ({'repeat': -1}, 'at least 1'),
    ({'epochs': 1.5}, 'a whole number'),
    ({'queries': 48 * 48 + 1}, 'at most 2304'),
    ({'valid_scales': ()}, 'at least one scale'),
    ({'valid_scales': (0.5,)}, 'from 1 to 64'),
    ({'losses': ()}, 'at least one term'),
    ({'losses': (LossTerm(LossType.PixelL1, 0.0),)}, 'weight above 0'),
    ({'on_bad_image': 'ignore'}, "one of 'refuse', 'skip'"),
    ({'recipe': '../../x'}, 'letters, digits or hyphens'),
    ({'recipe': 'a_b'}, 'letters, digits or hyphens'),
    ({'recipe': 'a\nb'}, 'letters, digits or hyphens'),
    ({'recipe': 'x' * 300}, 'letters, digits or hyphens'),
    ({'workers': -1}, 'from 0 to 256 or None'),
    ({'seed': -1}, 'seed must be a whole number'),
    ({'train_data': BenchmarkType.BENCHMARK}, "a folder's path"),
    ({'augment': 'yes'}, 'True or False'),
]


@pytest.mark.parametrize(('settings', 'message'), WRONG_TRAINING)
def test_an_impossible_training_setting_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        TrainSimple(**settings)
    assert next(iter(settings)) in str(error.value)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'eval_scale': 0}, 'from 1 to 64'),
        ({'eval_scale': (2, 0.5)}, 'from 1 to 64'),
        ({'overlap': 8}, 'has no effect with TestingStrategy.Simple'),
        ({'breakdown_patch_size': 48}, 'has no effect with TestingStrategy.Simple'),
        ({'eval_batch_size': 0}, 'at least 1'),
        ({'total_example': 0}, 'at least 1'),
        ({'benchmark': BenchmarkType.BENCHMARK}, 'valid_data_path must name a folder'),
        ({'model_name': 'best'}, 'a SavedModelType'),
        ({'evalscale': 2}, "Did you mean 'eval_scale'"),
        ({'recipe': '-rf/'}, 'letters, digits or hyphens'),
    ],
)
def test_an_impossible_testing_setting_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BaseTestingConfiguration(**settings)


def test_a_loss_weight_must_be_a_number_from_0_on() -> None:
    for weight in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match='LossTerm.weight must be a finite number at least 0, got'):
            LossTerm(LossType.PixelL1, weight)


def test_the_documented_testing_fields_are_there() -> None:
    names = {field.name for field in dataclasses.fields(BaseTestingConfiguration)}
    documented = (
        'encoder decoder recipe input_patch scale_range eval_scale benchmark valid_data_path valid_data_pathScale '
        'total_example eval_batch_size model_name test_strategy breakdown_patch_size overlap'
    )
    assert set(documented.split()) <= names


def test_every_setting_is_documented() -> None:
    """Each field of a configuration has a docstring directly under it."""
    import ast
    import inspect

    documented = {*TrainingConfiguration.__mro__, *BaseTestingConfiguration.__mro__, Protocol, LossTerm}
    values = {kind for base in (BaseSchedule, Value) for kind in base.__subclasses__()}
    for configuration in (documented | values) - {FrozenConfiguration, Value, object}:
        body = ast.parse(inspect.getsource(configuration)).body[0].body  # type: ignore[attr-defined]
        for position, node in enumerate(body):
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) not in OF_THEIR_CLASS | {'_'}:
                following = body[position + 1]
                assert isinstance(following, ast.Expr), f'{configuration.__name__}.{ast.unparse(node.target)}'


def test_a_frozen_configuration_keeps_methods_and_properties() -> None:
    class Shape(FrozenConfiguration):
        side: int = 3

        @property
        def area(self) -> int:
            return self.side**2

    assert Shape(side=4).area == 16
    assert Options(a=[1]) == {'a': (1,)}


@pytest.mark.parametrize(
    ('settings', 'meant'),
    [
        ({'losses': LossTerm(LossType.PixelL1)}, '(LossTerm(LossType.PixelL1),)'),
        ({'losses': LossType.PixelL1}, '(LossTerm(LossType.PixelL1),)'),
        ({'losses': (LossType.PixelL1, LossTerm(LossType.GramRGB, 0.5))},
         '(LossTerm(LossType.PixelL1), LossTerm(LossType.GramRGB, weight=0.5))'),
        ({'losses': ('pixelL1',)}, '(LossTerm(LossType.PixelL1),)'),
        ({'losses': [LossTerm(LossType.PixelL1)]}, '(LossTerm(LossType.PixelL1),)'),
        ({'trackers': TrackerType.WandB}, '(TrackerType.WandB,)'),
        ({'trackers': ('Tensorboard', TrackerType.WandB)}, '(TrackerType.TensorBoard, TrackerType.WandB)'),
        ({'decoder': 'Liif'}, 'DecoderType.LIIF'),
        ({'valid_scales': 4}, '(4,)'),
        ({'scale_range': [1, 4]}, '(1, 4)'),
        ({'scale_range': (0, 100)}, '(1, 64)'),
        ({'cache': 'disc'}, "'disk'"),
        ({'epochs': '500'}, '500'),
        ({'epochs': 0}, '1'),
        ({'learning_rate': '1e-4'}, '0.0001'),
    ],
)  # fmt: skip
def test_the_message_says_what_was_probably_meant(settings: dict[str, Any], meant: str) -> None:
    """And what it says is a value that the setting takes."""
    (name,) = settings
    with pytest.raises(ValueError, match=re.escape(f'Did you mean {name} = {meant}?')):
        TrainSimple(**settings)
    vocabulary = {kind.__name__: kind for kind in (LossTerm, LossType, TrackerType, DecoderType)}
    TrainSimple(**{name: eval(meant, vocabulary)})


@pytest.mark.parametrize(
    'settings',
    [{'encoder': 'Transformer'}, {'epochs': None}, {'losses': 0.5}, {'seed': math.inf}, {'augment': 1}],
)
def test_nothing_is_made_up_where_nothing_is_near(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f'{next(iter(settings))} must be') as error:
        TrainSimple(**settings)
    assert 'Did you mean' not in str(error.value)
