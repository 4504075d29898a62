"""From a configuration to the step that trains it. Configurations are unpacked here and no further down."""

import functools
import logging

import torch
from torch.optim import Optimizer

from Configuration.TrainingConfiguration import TrainingConfiguration
from Losses.Loss import Loss
from Losses.WeightedSum import WeightedSum
from Models.build import build_super_resolver
from Models.LossType import LossType
from Models.SamplingType import SamplingType
from Models.ScheduleType import ScheduleType
from Orchestrators.Steps import schedules
from Orchestrators.Steps.LikelihoodStep import LikelihoodStep
from Orchestrators.Steps.ReconstructionStep import ReconstructionStep
from Orchestrators.Steps.StepSettings import StepSettings
from Orchestrators.Steps.TrainingStep import TrainingStep
from Utilities.devices import check_compiler
from Utilities.distributed import ALONE, Ranks
from Utilities.find_class import check_options, find_class

_LOGGER = logging.getLogger(__name__)


def build_step(recipe: TrainingConfiguration, device: torch.device, ranks: Ranks = ALONE) -> TrainingStep:
    """Networks with weights from the recipe's seed, and all that trains them, in this process and in others.

    Raises:
        ValueError: for options that a network does not take, a loss that the sampling can't serve, be it the
            recipe's or the decoder's own, or `compile` where nothing can be compiled.
    """
    if recipe.compile:
        check_compiler(device)
    torch.manual_seed(recipe.seed)
    # Built on the CPU, so that one seed gives one set of weights on every machine.
    network = build_super_resolver(recipe.encoder, recipe.decoder, recipe.encoder_options, recipe.decoder_options).to(
        device
    )
    # On a GPU the fused one, which can skip an update there; on a CPU it saves 0.4 % of a step and rounds otherwise.
    optimizer = torch.optim.Adam(
        network.parameters(), lr=recipe.learning_rate, fused=True if device.type == 'cuda' else None
    )
    settings = StepSettings(
        accumulate=recipe.accumulate,
        clip_gradient=recipe.clip_gradient,
        ema_decay=recipe.ema_decay,
        precision=recipe.precision,
        channels_last=recipe.channels_last,
        compile=recipe.compile,
    )
    make_schedule = functools.partial(build_schedule, recipe, optimizer)
    if network.decoder.trains_by_likelihood:
        _LOGGER.info(
            f'{recipe.decoder.name} learns by its own likelihood: `losses` is not used, and training has no PSNR.'
        )
        return LikelihoodStep(network, optimizer, make_schedule, settings, ranks)
    objective = _build_objective(recipe).to(device)
    return ReconstructionStep(network, objective, recipe.sampling, optimizer, make_schedule, settings, ranks)


def build_schedule(recipe: TrainingConfiguration, optimizer: Optimizer, updates_per_epoch: int) -> schedules.Schedule:
    """The recipe's learning rates, beginning with the optimizer's."""
    epochs = recipe.epochs - recipe.warmup_epochs
    per_iteration = recipe.schedule in {ScheduleType.OneCycle, ScheduleType.Cyclic}
    match recipe.schedule:
        case ScheduleType.MultiStep:
            milestones = tuple(epoch - recipe.warmup_epochs for epoch in recipe.milestones)
            scheduler = schedules.multi_step(optimizer, milestones, recipe.gamma)
        case ScheduleType.Cosine:
            scheduler = schedules.cosine(optimizer, epochs, recipe.minimum_rate)
        case ScheduleType.CosineRestarts:
            scheduler = schedules.cosine_restarts(
                optimizer, recipe.restart_after, recipe.restart_growth, recipe.minimum_rate
            )
        case ScheduleType.OneCycle:
            scheduler = schedules.one_cycle(optimizer, epochs * updates_per_epoch)
        case ScheduleType.Cyclic:
            scheduler = schedules.cyclic(optimizer, recipe.cycle_epochs * updates_per_epoch, recipe.minimum_rate)
        case ScheduleType.ReduceOnPlateau:
            scheduler = schedules.reduce_on_plateau(optimizer, recipe.gamma, recipe.patience, recipe.minimum_rate)
    return schedules.Schedule(
        scheduler,
        per_iteration=per_iteration,
        warmup_steps=recipe.warmup_epochs * (updates_per_epoch if per_iteration else 1),
        warmup_start=recipe.warmup_start,
    )


def _build_objective(recipe: TrainingConfiguration) -> WeightedSum:
    found: dict[LossType, type[Loss]] = {term.loss: find_class(term.loss, 'Losses') for term in recipe.losses}
    # Before they are built, as some need large files for it.
    needy = [kind.name for kind, loss in found.items() if loss.needs_neighbors]
    if needy and recipe.sampling is SamplingType.Scattered:
        raise ValueError(
            f'{", ".join(needy)} compares neighboring pixels, which sampling = SamplingType.Scattered does not give. '
            'Set sampling = SamplingType.Window, or SamplingType.Crop.'
        )
    for term in recipe.losses:
        check_options(found[term.loss], term.options, 'losses')
    _LOGGER.info(f'The loss is {" + ".join(map(str, recipe.losses))}.')
    return WeightedSum([(term.loss.name, found[term.loss](**term.options), term.weight) for term in recipe.losses])
