"""A network that somebody published, in our terms."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from Models.build import build_super_resolver
from Models.DecoderType import DecoderType
from Models.EncoderType import EncoderType
from Models.published_checkpoints.key_maps import KeyMap
from Models.SuperResolver import SuperResolver

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
"""Of the tensors in a state_dict, by key."""


class UnknownNetworkError(ValueError):
    """A published network that this framework does not have; the message names it."""


@dataclasses.dataclass(frozen=True)
class PublishedNetwork:
    """What to build, and how the official weights get into it."""

    encoder: EncoderType
    encoder_options: Mapping[str, Any]
    decoder: DecoderType
    decoder_options: Mapping[str, Any]
    keys: KeyMap
    input_patch: int = 48
    """LR patch side in pixels that it was trained on, as published; names the file."""

    scale_range: tuple[float, float] = (1.0, 4.0)
    """Scales that it was trained on, as published; names the file."""

    remarks: tuple[str, ...] = ()
    """What the file does not say and was assumed, in sentences."""

    @property
    def name(self) -> str:
        """`EDSR-LIIF`, as papers write it."""
        return f'{self.encoder.name}-{self.decoder.name}'

    def build(self) -> SuperResolver:
        """The network, with fresh weights."""
        return build_super_resolver(self.encoder, self.decoder, self.encoder_options, self.decoder_options)


@dataclasses.dataclass(frozen=True)
class KeyReport:
    """What became of a file's keys. Those of the file are official, those that are missing ours."""

    used: tuple[str, ...]
    without_effect: tuple[str, ...]
    """Known: the original never uses them, or they are constants here."""

    missing: tuple[str, ...]
    left_over: tuple[str, ...]
    wrong_shape: tuple[str, ...]
    """Keys whose tensors are of another shape, with both shapes."""

    def __str__(self) -> str:
        return (
            f'{len(self.used)} keys used, {len(self.without_effect)} known to have no effect, '
            f'{len(self.missing)} missing, {len(self.left_over)} left over, {len(self.wrong_shape)} of another shape'
        )


def load_weights(network: nn.Module, state: Mapping[str, Tensor], keys: KeyMap) -> KeyReport:
    """Put official weights into a network, all of them or none.

    Raises:
        ValueError: if a key is missing, left over or of another shape; the message lists them.
    """
    expected = network.state_dict()
    ours_of = keys.ours(state)
    ours = set(ours_of.values())
    fitting = {official: key for official, key in ours_of.items() if key in expected}
    wrong = {official: key for official, key in fitting.items() if state[official].shape != expected[key].shape}
    report = KeyReport(
        used=tuple(official for official in fitting if official not in wrong),
        without_effect=tuple(key for key in state if key not in ours_of),
        missing=tuple(key for key in expected if key not in ours),
        left_over=tuple(official for official in ours_of if official not in fitting),
        wrong_shape=tuple(
            f'{official} {tuple(state[official].shape)} for {tuple(expected[key].shape)}'
            for official, key in wrong.items()
        ),
    )
    problems = [
        f'{kind}: {_some(found)}'
        for kind, found in (
            ('missing', report.missing), ('left over', report.left_over), ('of another shape', report.wrong_shape)
        )
        if found
    ]  # fmt: skip
    if problems:
        raise ValueError(f'The weights do not fit the network that they seem to be of. {report}. {"; ".join(problems)}')
    network.load_state_dict({key: state[official] for official, key in fitting.items()})
    return report


def _some(keys: tuple[str, ...]) -> str:
    shown = ', '.join(keys[:20])
    return shown if len(keys) <= 20 else f'{shown} and {len(keys) - 20} more'
