from enum import Enum


class TrackerType(Enum):
    """Where a run's curves can be watched. A member names its class and file in `Orchestrators/Training/Trackers/`."""

    TensorBoard = 'TensorBoard'
    """Files in the run's folder; nothing leaves the machine."""

    WandB = 'WandB'
    """Weights & Biases: sent to its server, or kept on the disk with the environment variable WANDB_MODE=offline."""

    Aim = 'Aim'
    """A local database, `.aim` beside the run's folder."""
