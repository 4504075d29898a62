"""Learning-rate schedules."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, MultiStepLR


def multi_step(optimizer: Optimizer, milestones: tuple[int, ...], gamma: float) -> LRScheduler:
    """Multiply the learning rate by `gamma` after each epoch named in `milestones`; step it once per epoch."""
    return MultiStepLR(optimizer, milestones=list(milestones), gamma=gamma)
