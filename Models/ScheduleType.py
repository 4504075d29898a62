from enum import Enum


class ScheduleType(Enum):
    """How the learning rate changes over a run."""

    MultiStep = 'MultiStep'
    """Multiplied by `gamma` after each epoch that `milestones` names."""
