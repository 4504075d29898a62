"""From a recipe to the pipeline that trains it."""

from Configuration.TrainingConfiguration import TrainingConfiguration
from Orchestrators.Pipelines.Pipeline import Pipeline
from Orchestrators.Pipelines.SuperResolution import SuperResolution


def find_pipeline(recipe: TrainingConfiguration) -> type[Pipeline]:
    """The pipeline of a recipe's kind, to be called with the recipe and its run."""
    match recipe:
        case TrainingConfiguration():
            return SuperResolution
