"""The vocabulary. Importing it does not import torch; networks are imported from their own files."""

from Models.AdversarialLossType import AdversarialLossType
from Models.BenchmarkType import BenchmarkType
from Models.DecoderType import DecoderType
from Models.EncoderType import EncoderType
from Models.LossType import LossType
from Models.QualityType import QualityType
from Models.RecipeType import RecipeType
from Models.SamplingType import SamplingType
from Models.SavedModelType import SavedModelType
from Models.TestingStrategy import TestingStrategy
from Models.TrackerType import TrackerType

__all__ = [
    'AdversarialLossType',
    'BenchmarkType',
    'DecoderType',
    'EncoderType',
    'LossType',
    'QualityType',
    'RecipeType',
    'SamplingType',
    'SavedModelType',
    'TestingStrategy',
    'TrackerType',
]
