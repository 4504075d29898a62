"""From a configuration to the step that trains it. Configurations are unpacked here and no further down."""

import logging

import torch

from Configuration.TrainingConfiguration import TrainingConfiguration
from Losses.WeightedSum import WeightedSum
from Models.build import build_super_resolver
from Models.SamplingType import SamplingType
from Models.ScheduleType import ScheduleType
from Orchestrators.Steps.LikelihoodStep import LikelihoodStep
from Orchestrators.Steps.ReconstructionStep import ReconstructionStep
from Orchestrators.Steps.TrainingStep import TrainingStep
from Utilities import schedules
from Utilities.find_class import find_class

_LOGGER = logging.getLogger(__name__)


def build_step(recipe: TrainingConfiguration, device: torch.device) -> TrainingStep:
    """Networks with weights from the recipe's seed, and all that trains them.

    Raises:
        ValueError: for options that a network does not take, or a loss that the sampling can't serve, be it the
            recipe's or the decoder's own.
    """
    torch.manual_seed(recipe.seed)
    # Built on the CPU, so that one seed gives one set of weights on every machine.
    network = build_super_resolver(recipe.encoder, recipe.decoder, recipe.encoder_options, recipe.decoder_options).to(
        device
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    match recipe.schedule:
        case ScheduleType.MultiStep:
            schedule = schedules.multi_step(optimizer, recipe.milestones, recipe.gamma)
    if network.decoder.trains_by_likelihood:
        _LOGGER.info(
            f'{recipe.decoder.name} learns by its own likelihood: `losses` is not used, and training has no PSNR.'
        )
        return LikelihoodStep(network, optimizer, schedule)
    return ReconstructionStep(network, _build_objective(recipe).to(device), optimizer, schedule)


def _build_objective(recipe: TrainingConfiguration) -> WeightedSum:
    objective = WeightedSum(
        [(term.loss.name, find_class(term.loss, 'Losses')(), term.weight) for term in recipe.losses]
    )
    if objective.needs_neighbors and recipe.sampling is SamplingType.Scattered:
        raise ValueError(
            f'{", ".join(objective.needs_neighbors)} compares neighboring pixels, which sampling = '
            'SamplingType.Scattered does not give. Choose another sampling.'
        )
    return objective
