"""The shop window: every configuration a user picks or subclasses. Importing it does not import torch."""

from Configuration.BaseTestingConfiguration import BaseTestingConfiguration
from Configuration.FrozenConfiguration import Options
from Configuration.recipes import TrainQuickStart, TrainSimple, TrainSimpleLargerPatch, TrainSimpleLargerPatchScale
from Configuration.TrainingConfiguration import LossTerm, TrainingConfiguration

__all__ = [
    'BaseTestingConfiguration',
    'LossTerm',
    'Options',
    'TrainQuickStart',
    'TrainSimple',
    'TrainSimpleLargerPatch',
    'TrainSimpleLargerPatchScale',
    'TrainingConfiguration',
]
