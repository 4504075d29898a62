"""Which checkpoint a run continues from, and whether it may."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from Configuration.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Cyclic,
    MultiStep,
    OneCycle,
    ReduceOnPlateau,
    Schedule,
)
from Configuration.TrainingConfiguration import TrainingConfiguration
from Models.Decoders.Decoder import Decoder
from Utilities.Checkpoint import Checkpoint, CheckpointError, remove_leftovers
from Utilities.devices import describe_computation
from Utilities.find_class import find_class

_LOGGER = logging.getLogger(__name__)


def checkpoint_to_continue(
    recipe: TrainingConfiguration, last: Path, others: Sequence[Path], device: torch.device
) -> Checkpoint | None:
    """The checkpoint that the recipe's `resume` asks for; None to start anew. Call it while holding the run's lock.

    Args:
        recipe: of the run.
        last: where its last checkpoint is, if there is one.
        others: other checkpoints that it writes.
        device: where it goes on.

    Raises:
        ValueError: if a run is there that must not be continued, or one is asked for that can't be.
    """
    for path in (last, *others):
        remove_leftovers(path)
    if recipe.resume is False:
        if last.exists():
            raise ValueError(
                f'{last} exists, and resume is False. Set resume = True to continue it, or move it away or change '
                'save_path to start anew.'
            )
        return None
    path = last if recipe.resume is True else Path(recipe.resume)
    checkpoint = Checkpoint.load_newest(path) if recipe.resume is True else Checkpoint.load(path)
    if checkpoint is None:
        return None
    _refuse_other_configuration(checkpoint, recipe, path)
    _refuse_without_random_state(checkpoint, path)
    _warn_of_other_bits(checkpoint, device)
    return checkpoint


def _refuse_without_random_state(checkpoint: Checkpoint, path: Path) -> None:
    if 'cpu' not in checkpoint.rng:
        raise CheckpointError(f'{path} holds no state of the random generators, so no run can go on from it.')
    try:
        torch.Generator().set_state(checkpoint.rng['cpu'])
    except (RuntimeError, TypeError) as error:
        raise CheckpointError(
            f'{path} holds a state of the random generators that torch does not take, so no run can go on from it: '
            f'{error}.'
        ) from error


def _warn_of_other_bits(checkpoint: Checkpoint, device: torch.device) -> None:
    before = {'torch': checkpoint.torch_version} | checkpoint.computed_on
    now = {'torch': str(torch.__version__)} | describe_computation(device)
    changes = [f'{name} {value}, now {now[name]}' for name, value in before.items() if now.get(name, value) != value]
    if changes:
        _LOGGER.warning(
            'The checkpoint was written with %s: the run goes on, but its last bits differ from those of a run that '
            'was never stopped.',
            '; '.join(changes),
        )


def _refuse_other_configuration(checkpoint: Checkpoint, recipe: TrainingConfiguration, path: Path) -> None:
    decoder: type[Decoder] = find_class(recipe.decoder, 'Models.Decoders')
    published = decoder.published_losses
    losses = [{'loss': name, 'weight': weight, 'options': {}} for name, weight in published]
    found, present = _as_of_today(checkpoint.configuration), recipe.to_dict()
    # Up to format 2, a decoder with a loss of its own learned by that alone, whatever stood there.
    if found['losses'] is None or checkpoint.format < 3 and 'Own' in dict(published):  # noqa: PLR2004
        found['losses'] = losses
    present['losses'] = losses if present['losses'] is None else present['losses']
    names = sorted((set(present) | set(found)) - set(recipe.may_change_on_resume))
    rows = [
        f'  {name}: {found.get(name, "absent")!r} in the file, {present.get(name, "absent")!r} in the recipe'
        for name in names
        if found.get(name, 'absent') != present.get(name, 'absent')
    ]
    if rows:
        raise CheckpointError(
            f'The checkpoint {path} was trained with other settings than this recipe has:\n' + '\n'.join(rows) + '\n'
            'Restore them to continue it, or give the changed recipe a class or a name of its own.'
        )


def _as_of_today(found: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint's configuration with the settings added since: it was trained as their defaults were then."""
    defaults = TrainingConfiguration(recipe='Defaults').to_dict()
    kept = {name: value for name, value in found.items() if name not in _RETIRED | _FLAT_SCHEDULE.keys()}
    terms = found.get('losses')
    losses = None if terms is None else [{'options': {}} | term for term in terms]
    return defaults | _DEFAULTS_THEN | kept | {'losses': losses, 'schedule': schedule_of(found)}


_RETIRED = {'tensorboard', 'images_in_memory'}
"""Settings that are no more; none of them changed what a run learns."""

_DEFAULTS_THEN = {'channels_last': False}
"""What a file that does not name a setting was trained with, where the default is another today."""

_FLAT_SCHEDULE: dict[str, Any] = {
    'schedule': 'MultiStep', 'milestones': (20, 40, 60, 80), 'gamma': 0.5, 'minimum_rate': 0.0, 'restart_after': 50,
    'restart_growth': 1, 'cycle_epochs': 10, 'patience': 10, 'warmup_epochs': 0, 'warmup_start': 0.1,
}  # fmt: skip
"""The settings that a schedule was written as before it was a value, with their defaults."""


def schedule_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """The schedule in a checkpoint's configuration, in today's form, if need be out of settings of its own.

    Raises:
        CheckpointError: for one that this version does not know.
    """
    written = found.get('schedule')
    if isinstance(written, dict):
        return written
    flat = {name: found.get(name, default) for name, default in _FLAT_SCHEDULE.items()}
    gamma, lowest = flat['gamma'], flat['minimum_rate']
    warmup = {'warmup': flat['warmup_epochs'], 'warmup_start': flat['warmup_start']}
    schedule: Schedule
    match flat['schedule']:
        case 'MultiStep' if flat['milestones']:
            schedule = MultiStep(tuple(flat['milestones']), gamma, **warmup)
        case 'MultiStep':
            schedule = Constant(**warmup)
        case 'Cosine':
            schedule = Cosine(lowest, **warmup)
        case 'CosineRestarts':
            schedule = CosineRestarts(flat['restart_after'], flat['restart_growth'], lowest, **warmup)
        case 'OneCycle':
            schedule = OneCycle(**warmup)
        case 'Cyclic':
            schedule = Cyclic(flat['cycle_epochs'], lowest, **warmup)
        case 'ReduceOnPlateau':
            schedule = ReduceOnPlateau(gamma, flat['patience'], lowest, **warmup)
        case unknown:
            raise CheckpointError(f'The checkpoint has a schedule {unknown!r}, which this version does not know.')
    return schedule.to_dict()
