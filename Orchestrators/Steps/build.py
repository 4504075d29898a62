"""From a configuration to what learns by it. Configurations are unpacked here and no further down."""

import torch
from torch import nn

from Configuration.optimizers import Adam, AdamW, Optimizer
from Configuration.TrainingConfiguration import TrainingConfiguration
from Orchestrators.Steps.Learner import Learner, LearnerSettings
from Orchestrators.Steps.schedules import RunningSchedule, run_schedule
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
    optimizer = build_optimizer(recipe.optimizer, network, recipe.learning_rate)
    settings = LearnerSettings(
        accumulate=recipe.accumulate,
        clip_gradient=recipe.clip_gradient,
        ema_decay=recipe.ema_decay,
        precision=recipe.precision,
        channels_last=recipe.channels_last,
        compile=recipe.compile,
    )

    def make_schedule(updates_per_epoch: int) -> RunningSchedule:
        return run_schedule(recipe.schedule, optimizer, epochs=recipe.epochs, updates_per_epoch=updates_per_epoch)

    return Learner(network, optimizer, make_schedule, settings, ranks)


def build_optimizer(optimizer: Optimizer, network: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """torch's, of all the network's weights."""
    device = next(network.parameters()).device
    # On a GPU the fused one, which can skip an update there; on a CPU it saves 0.4 % of a step and rounds otherwise.
    fused = True if device.type == 'cuda' else None
    match optimizer:
        case Adam():
            kind: type[torch.optim.Adam | torch.optim.AdamW] = torch.optim.Adam
        case AdamW():
            kind = torch.optim.AdamW
    return kind(
        network.parameters(),
        lr=learning_rate,
        betas=optimizer.betas,
        eps=optimizer.epsilon,
        weight_decay=optimizer.weight_decay,
        fused=fused,
    )
