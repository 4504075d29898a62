"""The shop window: every configuration a user picks or subclasses. Importing it does not import torch."""

from Configuration.BaseTestingConfiguration import BaseTestingConfiguration
from Configuration.FrozenConfiguration import Options
from Configuration.optimizers import Adam, AdamW
from Configuration.recipes.super_resolution import *
from Configuration.schedules import Constant, Cosine, CosineRestarts, Cyclic, MultiStep, OneCycle, ReduceOnPlateau
from Configuration.TrainingConfiguration import LossTerm, TrainingConfiguration
