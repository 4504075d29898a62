"""Every enum member has its class and file, every file its member."""

import importlib
import re
from enum import Enum
from pathlib import Path

import pytest

import Configuration
from Configuration import TrainingConfiguration
from Datasets.benchmarks import BENCHMARKS
from Losses.Loss import Loss
from Models import (
    BenchmarkType,
    DecoderType,
    EncoderType,
    LossType,
    QualityType,
    RecipeType,
    TestingStrategy,
    TrackerType,
)
from Models.Decoders.Decoder import Decoder
from Models.Encoders.Encoder import Encoder
from Models.Quality.QualityModel import QualityModel
from Orchestrators.Training.Trackers.Tracker import Tracker
from Utilities.find_class import find_class

ROOT = Path(__file__).parent.parent
RECIPES = ROOT / 'Configuration' / 'recipes'
TRAIN = (ROOT / 'train.py').read_text()
OPEN_SETS = [
    (EncoderType, 'Models.Encoders', Encoder, set()),
    (DecoderType, 'Models.Decoders', Decoder, {'Queries'}),
    (LossType, 'Losses', Loss, {'WeightedSum'}),
    (QualityType, 'Models.Quality', QualityModel, set()),
    (TrackerType, 'Orchestrators.Training.Trackers', Tracker, set()),
]


@pytest.mark.parametrize(('kind', 'package', 'base', 'others'), OPEN_SETS)
def test_members_and_files_belong_together(kind: type[Enum], package: str, base: type, others: set[str]) -> None:
    for member in kind:
        assert issubclass(find_class(member, package), base)
        assert member.name == member.value
    folder = ROOT / package.replace('.', '/')
    classes = {file.stem for file in folder.glob('[A-Z]*.py')} - {base.__name__} - others
    assert classes == {member.name for member in kind}


def test_a_member_without_a_file_says_which_file_it_needs() -> None:
    class Planted(Enum):
        GSASR = 'GSASR'

    with pytest.raises(ValueError, match=r'needs a file Models/Decoders/GSASR\.py with a class GSASR; there is none'):
        find_class(Planted.GSASR, 'Models.Decoders')


def test_every_recipe_has_its_class_and_every_class_its_member() -> None:
    modules = [importlib.import_module(f'Configuration.recipes.{file.stem}') for file in RECIPES.glob('[a-z]*.py')]
    classes = {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    }
    assert {f'Train{member.name}' for member in RecipeType} == set(classes)
    for name, recipe in classes.items():
        assert issubclass(recipe, TrainingConfiguration)
        assert recipe().recipe is RecipeType[name.removeprefix('Train')]
        assert getattr(Configuration, name) is recipe
    assert set(re.findall(r'recipe = (Train\w+)\(', TRAIN)) == set(classes)


def test_every_benchmark_has_its_row() -> None:
    assert set(BENCHMARKS) == set(BenchmarkType)


@pytest.mark.parametrize('script', ['train.py', 'test.py', 'upscale.py'])
def test_scripts_are_short(script: str) -> None:
    assert len((ROOT / script).read_text().splitlines()) < 60


def test_the_test_script_shows_every_benchmark_and_strategy() -> None:
    test = (ROOT / 'test.py').read_text()
    assert [member.name for member in BenchmarkType if f'BenchmarkType.{member.name},' not in test] == []
    assert [
        member.name for member in TestingStrategy if f'test_strategy=TestingStrategy.{member.name},' not in test
    ] == []
