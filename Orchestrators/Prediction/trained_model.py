"""From a checkpoint file to a network that can be used."""

import dataclasses
import logging
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from Models.build import build_super_resolver
from Models.DecoderType import DecoderType
from Models.EncoderType import EncoderType
from Models.SuperResolver import SuperResolver
from Utilities.Checkpoint import Checkpoint, CheckpointError, content_hash

_LOGGER = logging.getLogger(__name__)
_FAR_BEYOND = 4
"""Times the largest scale of training. At x18, LIIF, trained for x1 to x4, gains half as much over bicubic
interpolation on DIV2K as at x4 (its Table 1)."""

Member = TypeVar('Member', bound=Enum)


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A network with its weights, and what is known of it."""

    network: SuperResolver
    configuration: Mapping[str, Any]
    """The training configuration, as `to_dict` gave it."""

    epoch: int
    samples_seen: int
    sha256: str
    """Hash of the weights."""

    _warned: list[float] = dataclasses.field(default_factory=list)

    def warn_beyond_training(self, lr_size: tuple[int, int], size: tuple[int, int]) -> None:
        """Say once if pictures are made far larger than the network has learned to."""
        learned = self.configuration.get('scale_range')
        if not learned or self._warned:
            return
        scale = max(count / lr_count for count, lr_count in zip(size, lr_size, strict=True))
        if scale > _FAR_BEYOND * max(learned):
            self._warned.append(scale)
            _LOGGER.warning(
                'x%.3g is far beyond the scales that %s was trained for, x%g to x%g: it gains little '
                'over interpolation there.',
                scale, self.name, *learned,
            )  # fmt: skip

    @property
    def name(self) -> str:
        """`EDSR-LIIF`, as papers write it."""
        return f'{self.configuration["encoder"]}-{self.configuration["decoder"]}'


def load_trained_model(path: Path, device: torch.device) -> TrainedModel:
    """Build the network that a checkpoint describes, with its weights, ready for use.

    Raises:
        CheckpointError: if the file can't be read, or names a network that this version does not have.
    """
    checkpoint = Checkpoint.load(path)
    settings = checkpoint.configuration
    network = build_super_resolver(
        _member(EncoderType, settings.get('encoder'), path),
        _member(DecoderType, settings.get('decoder'), path),
        settings.get('encoder_options'),
        settings.get('decoder_options'),
    )
    try:
        network.load_state_dict(checkpoint.network)
    except RuntimeError as error:
        raise CheckpointError(f'{path} does not hold the weights of the network that it names: {error}') from error
    network.to(device).eval().requires_grad_(False)
    progress = checkpoint.progress
    return TrainedModel(
        network, settings, progress.get('epoch', 0), progress.get('samples_seen', 0), content_hash(checkpoint.network)
    )


def load_initial_weights(network: nn.Module, path: Path) -> None:
    """Give a new network the weights of a checkpoint, all of them.

    Raises:
        CheckpointError: if the file can't be read, or is of another network.
    """
    checkpoint = Checkpoint.load(path)
    try:
        network.load_state_dict(checkpoint.network)
    except RuntimeError as error:
        named = {
            name: checkpoint.configuration.get(name)
            for name in ('encoder', 'decoder', 'encoder_options', 'decoder_options')
        }
        raise CheckpointError(f'start_from: {path} is of another network than the recipe: {named}.') from error


def _member(kind: type[Member], name: object, path: Path) -> Member:
    for member in kind:
        if member.name == name:
            return member
    known = ', '.join(member.name for member in kind)
    raise CheckpointError(f'{path} names the {kind.__name__} {name!r}, which this version does not have: {known}.')
