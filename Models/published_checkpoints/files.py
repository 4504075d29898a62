"""Reading what other frameworks have saved, without running code from it."""

import dataclasses
import importlib
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from Models.published_checkpoints.PublishedNetwork import PublishedNetwork
from Models.published_checkpoints.recognition import of_study, recognise
from Models.published_checkpoints.specifications import from_specification
from Utilities.safe_reading import UnreadableError, read_torch_file
from Utilities.version import refuse_old_torch

_WRAPPERS = ('module', '_orig_mod', '_fsdp_wrapped_module', '_checkpoint_wrapped_module')
"""Parts of keys that DataParallel and AveragedModel, torch.compile, FSDP and activation checkpointing put in."""

_OWNERS = {'model', 'net', 'network', 'netG', 'ema_model'}
"""Attributes under which a trainer, such as Lightning's module, holds its only network."""

_LOGGER = logging.getLogger(__name__)
_STUDY_NAME = re.compile(r'_Patch_([1-9]\d{0,3})_Scale_(\d{1,2}(?:\.\d{1,4})?)_(\d{1,2}(?:\.\d{1,4})?)(?=_|\.pth|$)')


@dataclasses.dataclass(frozen=True)
class PublishedFile:
    """A file's weights and the network that they are of."""

    layout: str
    """Whose way to save it is, in words."""

    network: PublishedNetwork
    state: Mapping[str, Tensor]
    """The weights under official keys."""

    ignored: tuple[str, ...] = ()
    """Keys of weights that are no part of the network, such as a discriminator's."""

    epoch: int = 0


class _TwiceError(ValueError):
    """Two keys that are one."""


def read_published(path: Path) -> PublishedFile:
    """Read a file and recognise its layout and network.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it can't be read without running code from it, or is of nothing known; the message says which.
    """
    refuse_old_torch()
    if not path.is_file():
        raise FileNotFoundError(f'There is no file {path}.')
    content = _read_safetensors(path) if path.suffix == '.safetensors' else _read_pickle(path)
    try:
        return _recognised(content, path)
    except _TwiceError as error:
        raise ValueError(f'{path}: {error}') from error
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        raise ValueError(f'{path} is of a known layout, but incomplete: {type(error).__name__} {error}.') from error


def _read_pickle(path: Path) -> Mapping[str, Any]:
    try:
        content = read_torch_file(path)
    except UnreadableError as error:
        raise ValueError(f'{path} is no readable checkpoint: {error}.') from error
    if not isinstance(content, Mapping):
        raise ValueError(f'{path} holds no checkpoint but one value of type {type(content).__name__}.')
    return content


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    try:
        safetensors = importlib.import_module('safetensors.torch')
    except ModuleNotFoundError as error:
        raise ValueError(f'To read {path}, install the package safetensors: pip install safetensors') from error
    try:
        return safetensors.load_file(path, device='cpu')
    except Exception as error:
        # The package's own error derives from Exception alone.
        raise ValueError(f'{path} is not a readable safetensors file: {error}') from error


def _recognised(content: Mapping[str, Any], path: Path) -> PublishedFile:
    model = content.get('model')
    if isinstance(model, Mapping) and 'sd' in model:
        return _of_liif(content, model)
    if isinstance(model, Mapping) and _is_state(model):
        return _of_study(content, model, path)
    if _is_state(content.get('state_dict')):
        return _of_mm(content['state_dict'])
    for name in ('params_ema', 'params'):
        if _is_state(content.get(name)):
            remark = f'Of {" and ".join(key for key in ("params_ema", "params") if key in content)}, {name} was taken.'
            return _bare(f"BasicSR's ({name})", content[name], remark if len(content) > 1 else None)
    if _is_state(content):
        return _bare('weights alone', content)
    raise ValueError(
        f'{path} has none of the known layouts: model with name, args and sd; model; state_dict; params; params_ema; '
        f'weights alone. It holds: {", ".join(map(str, list(content)[:10])) or "nothing"}.'
    )


def _of_liif(content: Mapping[str, Any], model: Mapping[str, Any]) -> PublishedFile:
    state = _bare_keys(model['sd'])
    network = from_specification(model['name'], model.get('args') or {}, _shapes(state))
    return PublishedFile("LIIF's", network, state, epoch=_epoch(content))


def _of_study(content: Mapping[str, Any], model: Mapping[str, Tensor], path: Path) -> PublishedFile:
    state = _bare_keys(model)
    network = of_study(recognise(_shapes(state)))
    # The study names its folders and files as this framework does.
    found = next((found for part in reversed(path.parts) if (found := _STUDY_NAME.search(part))), None)
    if found is not None:
        scale_range = (float(found[2]), float(found[3]))
        network = dataclasses.replace(network, input_patch=int(found[1]), scale_range=scale_range)
    return PublishedFile("INR-ASSR-Emperical-Analysis's", network, state, epoch=_epoch(content))


def _of_mm(stored: Mapping[str, Tensor]) -> PublishedFile:
    state = _bare_keys(stored)
    state_of_generator = {key: value for key, value in state.items() if key.startswith('generator.')}
    if not state_of_generator:
        return _bare('weights in state_dict', state)
    ignored = tuple(key for key in state if key not in state_of_generator)
    state = _without_prefix('generator.', state_of_generator)
    return PublishedFile("mmagic's", recognise(_shapes(state)), state, ignored)


def _bare(layout: str, stored: Mapping[str, Tensor], remark: str | None = None) -> PublishedFile:
    state = _bare_keys(stored)
    network = recognise(_shapes(state))
    if remark:
        network = dataclasses.replace(network, remarks=(*network.remarks, remark))
    return PublishedFile(layout, network, state)


def _is_state(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(entry, Tensor) for entry in value.values())


def _bare_keys(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the names that the network gave them, without what tools put around it.

    Raises:
        _TwiceError: if two keys become the same.
    """
    bare = {'.'.join(part for part in key.split('.') if part not in _WRAPPERS): value for key, value in state.items()}
    if len(bare) < len(state):
        raise _TwiceError(
            f'{len(state) - len(bare)} keys are there twice, once without {" or ".join(_WRAPPERS)} in their names: '
            'two networks in one.'
        )
    parts = [part for part in _WRAPPERS if any(part in key.split('.') for key in state)]
    while len(first := {key.partition('.')[0] for key in bare if key != 'n_averaged'}) == 1 and first <= _OWNERS:
        (owner,) = first
        bare = {key.removeprefix(f'{owner}.'): value for key, value in bare.items()}
        parts.append(owner)
    if parts:
        _LOGGER.info('Keys are read without %s, which other tools have put in.', ' and '.join(parts))
    bare.pop('n_averaged', None)  # Of torch's AveragedModel.
    return bare


def _without_prefix(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items()}


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in state.items()}


def _epoch(content: Mapping[str, Any]) -> int:
    epoch = content.get('epoch')
    return epoch if isinstance(epoch, int) and epoch >= 0 else 0
