"""From a checkpoint file to a network that can be used."""

import dataclasses
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
