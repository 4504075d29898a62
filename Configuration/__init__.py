"""The shop window: every configuration a user picks or subclasses. Importing it does not import torch."""

from Configuration.BaseTestingConfiguration import BaseTestingConfiguration
from Configuration.FrozenConfiguration import Options
from Configuration.recipes import (
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
from Configuration.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Cyclic,
    MultiStep,
    OneCycle,
    ReduceOnPlateau,
)
from Configuration.TrainingConfiguration import LossTerm, TrainingConfiguration

__all__ = [
    'BaseTestingConfiguration',
    'Constant',
    'Cosine',
    'CosineRestarts',
    'Cyclic',
    'LossTerm',
    'MultiStep',
    'OneCycle',
    'Options',
    'ReduceOnPlateau',
    'TrainCiaoSR',
    'TrainGradLoss',
    'TrainGramL1Loss',
    'TrainHIIF',
    'TrainLIIF',
    'TrainLTE',
    'TrainQuickStart',
    'TrainSGDR',
    'TrainSRNO',
    'TrainSimple',
    'TrainSimpleLargerPatch',
    'TrainSimpleLargerPatchScale',
    'TrainingConfiguration',
]
