"""From a configuration to what learns by it. Configurations are unpacked here and no further down."""

import functools

import torch
from torch import nn
from torch.optim import Optimizer

from Configuration.TrainingConfiguration import TrainingConfiguration
from Models.ScheduleType import ScheduleType
from Orchestrators.Steps import schedules
from Orchestrators.Steps.Learner import Learner, LearnerSettings
from Utilities.devices import check_compiler
from Utilities.distributed import ALONE, Ranks


def build_learner(network: nn.Module, recipe: TrainingConfiguration, ranks: Ranks = ALONE) -> Learner:
    """A network, on the device that it is to learn on, with the recipe's optimizer, schedule and settings.

    Raises:
        ValueError: for `compile` where nothing can be compiled.
    """
    device = next(network.parameters()).device
    if recipe.compile:
        check_compiler(device)
    # On a GPU the fused one, which can skip an update there; on a CPU it saves 0.4 % of a step and rounds otherwise.
    optimizer = torch.optim.Adam(
        network.parameters(), lr=recipe.learning_rate, fused=True if device.type == 'cuda' else None
    )
    settings = LearnerSettings(
        accumulate=recipe.accumulate,
        clip_gradient=recipe.clip_gradient,
        ema_decay=recipe.ema_decay,
        precision=recipe.precision,
        channels_last=recipe.channels_last,
        compile=recipe.compile,
    )
    return Learner(network, optimizer, functools.partial(build_schedule, recipe, optimizer), settings, ranks)


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
