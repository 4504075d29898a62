from enum import Enum


class ScheduleType(Enum):
    """How the learning rate changes over a run. A linear warm-up may stand before each: `warmup_epochs`."""

    MultiStep = 'MultiStep'
    """Multiplied by `gamma` after each epoch that `milestones` names."""

    Cosine = 'Cosine'
    """Half a cosine wave from `learning_rate` to `minimum_rate` over the whole run, epoch by epoch."""

    CosineRestarts = 'CosineRestarts'
    """SGDR: the same over `restart_after` epochs, and over again; each period is `restart_growth` times the last."""

    OneCycle = 'OneCycle'
    """Up to `learning_rate` in the first three tenths of the run and then down to nearly nothing, batch by batch."""

    Cyclic = 'Cyclic'
    """From `minimum_rate` up to `learning_rate` and down again in `cycle_epochs`, batch by batch."""

    ReduceOnPlateau = 'ReduceOnPlateau'
    """Multiplied by `gamma` when the validation has not improved, by `best_by`, in more than `patience` validations."""
