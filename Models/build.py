"""From enum members and options to networks."""

import inspect
from collections.abc import Mapping
from typing import Any

from Models.DecoderType import DecoderType
from Models.EncoderType import EncoderType
from Models.SuperResolver import SuperResolver
from Utilities.find_class import check_options, find_class

# An option of every decoder, whether or not its constructor names it.
_COMMON = ('cell_scale_max',)


def build_super_resolver(
    encoder: EncoderType,
    decoder: DecoderType,
    encoder_options: Mapping[str, Any] | None = None,
    decoder_options: Mapping[str, Any] | None = None,
) -> SuperResolver:
    """Build a network with fresh weights from torch's global generator.

    Args:
        encoder, decoder: members of the vocabulary.
        encoder_options, decoder_options: constructor arguments; what is not named keeps the published value.

    Raises:
        ValueError: for an option that the class does not take, or a value that it refuses.
    """
    encoder_class = find_class(encoder, 'Models.Encoders')
    decoder_class = find_class(decoder, 'Models.Decoders')
    encoder_options = dict(encoder_options or {})
    decoder_options = dict(decoder_options or {})
    check_options(encoder_class, encoder_options, 'encoder_options')
    parameters = inspect.signature(decoder_class).parameters
    common = {name: decoder_options.pop(name) for name in _COMMON if name in decoder_options and name not in parameters}
    check_options(decoder_class, decoder_options, 'decoder_options', given=('feature_dim', 'encoder'))
    built_encoder = _build(encoder_class, {}, encoder_options, 'encoder_options')
    offered = {'feature_dim': built_encoder.feature_dim, 'encoder': built_encoder}
    given = {name: offered[name] for name in parameters if name in offered}
    built_decoder = _build(decoder_class, given, decoder_options, 'decoder_options')
    if common:
        built_decoder.limit_cell(**common)
    return SuperResolver(built_encoder, built_decoder)


def _build(found: type, given: Mapping[str, Any], options: Mapping[str, Any], setting: str) -> Any:  # noqa: ANN401
    try:
        return found(**given, **options)
    except (TypeError, RuntimeError) as error:
        # What torch says of a text where a number belongs names neither the option nor the setting.
        raise ValueError(f'{setting}: {found.__name__} can not be built with {dict(options)}: {error}') from error
