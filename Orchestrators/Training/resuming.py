"""Which checkpoint a run continues from, and whether it may."""

import dataclasses
import glob
import logging
import re
from collections import Counter
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
from Models.SavedModelType import SavedModelType
from Orchestrators.Training.Progress import Identity
from Orchestrators.Training.TrainingRecord import EPOCH, MetricsTable
from Utilities.Checkpoint import Checkpoint, CheckpointError, content_hash, remove_leftovers
from Utilities.devices import describe_computation
from Utilities.files import list_problems
from Utilities.find_class import find_class
from Utilities.PathManager import PathManager

_LOGGER = logging.getLogger(__name__)


def checkpoint_to_continue(
    recipe: TrainingConfiguration, folder: Path, parent: Path, device: torch.device
) -> Checkpoint | None:
    """The checkpoint that the recipe's `resume` asks for; None to start anew. Call it while holding the run's lock.

    Args:
        recipe: of the run.
        folder: of the run, beside which its checkpoints are.
        parent: of the run that a branch goes out from; the same, if it is none.
        device: where it goes on.

    Raises:
        ValueError: if a run is there that must not be continued, one is asked for that can't be, or what is there
            reaches further than what is asked for and would be overwritten.
    """
    last = PathManager.checkpoint(folder, SavedModelType.Last)
    for path in (last, PathManager.checkpoint(folder, SavedModelType.Best)):
        remove_leftovers(path)
    if recipe.resume is False:
        if last.exists():
            raise ValueError(
                f'{last} exists, and resume is False. Set resume = True to continue it, or move it away or change '
                'save_path to start anew.'
            )
        _refuse_to_lose(folder, recipe, None, 'starting anew')
        return None
    checkpoint: Checkpoint | None
    if recipe.branch and not last.exists():
        path = _named('last' if recipe.resume is True else recipe.resume, parent)
        checkpoint = _of_parent(recipe, path)
        _refuse_to_lose(folder, recipe, None, f'the branch {recipe.branch!r}')
    elif recipe.resume is True or recipe.branch:
        path, checkpoint = last, Checkpoint.load_newest(last)
        if checkpoint is not None:
            _refuse_other_configuration(checkpoint, recipe, path)
        _refuse_to_lose(folder, recipe, checkpoint, 'starting anew' if checkpoint is None else f'going on from {path}')
    else:
        path = _named(recipe.resume, folder)
        checkpoint = Checkpoint.load(path)
        _refuse_other_configuration(checkpoint, recipe, path)
        _refuse_to_lose(folder, recipe, checkpoint, f'going on from {path}', last)
    if checkpoint is not None:
        _refuse_without_random_state(checkpoint, path)
        _warn_of_other_bits(checkpoint, device)
    return checkpoint


def _named(resume: int | str, folder: Path) -> Path:
    """The file that a number, `best`, `last` or a path names."""
    if isinstance(resume, int):
        return PathManager.checkpoint(folder, resume)
    kinds = {kind.value: kind for kind in SavedModelType}
    return PathManager.checkpoint(folder, kinds[resume]) if resume in kinds else Path(resume)


def _of_parent(recipe: TrainingConfiguration, path: Path) -> Checkpoint:
    """The checkpoint that a branch begins with, with a record of it."""
    if not path.exists():
        raise ValueError(
            f'branch = {recipe.branch!r}: there is no {path} to go out from. Name its file, as resume = '
            "'path/to/model_states_....pth'."
        )
    checkpoint = Checkpoint.load(path)
    _refuse_other_configuration(checkpoint, recipe, path, recipe.may_change_in_branch)
    differs = _differences(checkpoint, recipe, recipe.may_change_on_resume)
    if differs and checkpoint.progress['batch']:
        raise ValueError(
            f'branch = {recipe.branch!r}: {path} is in the middle of epoch {checkpoint.progress["epoch"] + 1}, where '
            f'no setting may change, but these do:{"".join(differs)}\nTake a checkpoint of the end of an epoch.'
        )
    progress = checkpoint.progress
    record = {'file': str(path), 'epoch': progress['epoch'], 'samples_seen': progress['samples_seen']}
    record |= {'weights': content_hash(checkpoint.network), 'differs': [row.strip() for row in differs]}
    _LOGGER.info(f'Branch {recipe.branch} of {path}, epoch {progress["epoch"]}.{"".join(differs)}')
    # What was best before was so among other files, and perhaps by other pictures.
    own = {'parent': record, 'best': None, 'best_epoch': 0, 'validations_without_better': 0}
    return dataclasses.replace(checkpoint, progress=progress | own | ({'data': {}} if differs else {}))


def _refuse_to_lose(
    folder: Path, recipe: TrainingConfiguration, start: Checkpoint | None, what: str, last: Path | None = None
) -> None:
    """Refuse to overwrite files of a run that reach further than where it starts, or are of another run.

    One epoch further may be what is gone through again after a kill between two files, and comes out the same.

    Args:
        folder: of the run.
        recipe: of the run.
        start: where it starts; None: at the beginning.
        what: is about to happen, for the message.
        last: a `last` checkpoint that was not asked for.
    """
    epoch, seen = (start.progress['epoch'], start.progress['samples_seen']) if start is not None else (0, 0)
    lost = []
    for path, is_last in ((last, True), (PathManager.checkpoint(folder, SavedModelType.Best), False)):
        if path is None or not path.exists():
            continue
        try:
            found = Checkpoint.load(path)
        except CheckpointError as error:
            _LOGGER.warning('%s', error)
            continue
        reaches = found.progress['samples_seen'] > seen if is_last else found.progress['epoch'] > epoch + 1
        if reaches or _differences(found, recipe, recipe.may_change_on_resume):
            lost.append(f'{path} (epoch {found.progress["epoch"]}, {found.progress["samples_seen"]:,} samples seen)')
    numbered = re.compile(re.escape(folder.name) + r'_([1-9][0-9]*)\.pth')
    for path in sorted(folder.parent.glob(f'{glob.escape(folder.name)}_*.pth')):
        number = numbered.fullmatch(path.name)
        if number is not None and int(number[1]) > epoch + 1:
            lost.append(str(path))
    table = folder / 'metrics.csv'
    rows = MetricsTable(table).rows if table.exists() else []
    if rows and rows[-1][EPOCH] > epoch + 1:
        lost.append(f'{table} (up to epoch {rows[-1][EPOCH]:g})')
    if lost:
        raise ValueError(
            f'{what[0].upper()}{what[1:]}, epoch {epoch}, would overwrite what reaches further or is of another run:'
            f"{list_problems(lost)}\nSet branch = 'a-name' to go on beside it, in files of its own; resume = True "
            f'continues the newest; or move {folder}* away.'
        )


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


def _refuse_other_configuration(
    checkpoint: Checkpoint, recipe: TrainingConfiguration, path: Path, may_change: Sequence[str] | None = None
) -> None:
    rows = _differences(checkpoint, recipe, recipe.may_change_on_resume if may_change is None else may_change)
    if rows:
        raise CheckpointError(
            f'The checkpoint {path} was trained with other settings than this recipe has:{"".join(rows)}\n'
            'Restore them to continue it, or give the changed recipe a class or a name of its own.'
        )


def _differences(checkpoint: Checkpoint, recipe: TrainingConfiguration, may_change: Sequence[str]) -> list[str]:
    """The settings that differ, each as a line of a message."""
    decoder: type[Decoder] = find_class(recipe.decoder, 'Models.Decoders')
    published = decoder.published_losses
    losses = [{'loss': name, 'weight': weight, 'options': {}} for name, weight in published]
    found, present = _as_of_today(checkpoint.configuration), recipe.to_dict()
    # Up to format 2, a decoder with a loss of its own learned by that alone, whatever stood there.
    if found['losses'] is None or checkpoint.format < 3 and 'Own' in dict(published):  # noqa: PLR2004
        found['losses'] = losses
    present['losses'] = losses if present['losses'] is None else present['losses']
    free = {*may_change, *_compared_by_content(checkpoint, recipe)}
    return [
        f'\n  {name}: {found.get(name, "absent")!r} in the file, {present.get(name, "absent")!r} in the recipe'
        for name in sorted((set(present) | set(found)) - free)
        if found.get(name, 'absent') != present.get(name, 'absent')
    ]


def _compared_by_content(checkpoint: Checkpoint, recipe: TrainingConfiguration) -> list[str]:
    """Settings that say where pictures are, which the checkpoint knows by what they show."""
    if not _has_fingerprints(checkpoint.progress.get('data', {})):
        return []
    # How a set is scored depends on which one it is, that of a folder does not.
    are_folders = isinstance(recipe.valid_data, str) and isinstance(checkpoint.configuration.get('valid_data'), str)
    return ['train_data', 'train_lr_data', *(['valid_data'] if are_folders else [])]


def _has_fingerprints(data: Mapping[str, Any]) -> bool:
    return any(isinstance(entries, list) for entries in data.values())


def refuse_other_data(found: Identity, before: Mapping[str, Any]) -> None:
    """Refuse to go on with other data than the run has learned from; the message names each file that differs.

    Args:
        found: what the data are.
        before: what the checkpoint was trained on; up to format 3's first version the numbers of pictures alone.

    Raises:
        ValueError: if these differ in a file's name, content or place in the order.
    """
    if not _has_fingerprints(before):
        count = len(found.get('training pictures', []))
        known = before.get('pictures', count)
        changes = [] if known == count else [f'there are {count} training pictures, and there were {known}']
    else:
        changes = [
            change
            for what in dict.fromkeys([*before, *found])
            for change in _changes(what, before.get(what, []), found.get(what, []))
        ]
    if changes:
        raise ValueError(
            f'The data have changed since the checkpoint was written, in {len(changes)} places:'
            f'{list_problems(changes)}\nRestore them, or start anew under another recipe name.'
        )


def _changes(what: str, before: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> list[str]:
    old, new = _numbered(before), _numbered(found)
    listed = [f'{what}: {name} is missing' for name in old if name not in new]
    listed += [f'{what}: {name} is new' for name in new if name not in old]
    listed += [
        f'{what}: {name} shows something else ({old[name].split()[0]} then, {new[name].split()[0]} now)'
        for name in old
        if name in new and new[name] != old[name]
    ]
    if not listed and [tuple(entry) for entry in before] != [tuple(entry) for entry in found]:
        listed.append(f'{what}: they come in another order')
    return listed


def _numbered(entries: Sequence[Sequence[str]]) -> dict[str, str]:
    """Contents by name; of folders that have files of one name, the second has a number."""
    contents: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for name, content in entries:
        counts[name] += 1
        contents[name if counts[name] == 1 else f'{name} ({counts[name]})'] = content
    return contents


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
