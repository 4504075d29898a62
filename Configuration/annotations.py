"""What a setting's annotation allows: whether a value fits, how to say so, and what was probably meant instead."""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any


@dataclasses.dataclass(frozen=True)
class Range:
    """The allowed values of a number, both ends included; put into `Annotated[int, Range(1)]`."""

    minimum: float
    maximum: float = math.inf

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int | float) and self.minimum <= number <= self.maximum

    def __str__(self) -> str:
        if self.maximum == math.inf:
            return f'at least {self.minimum:g}'
        return f'from {self.minimum:g} to {self.maximum:g}'


def check_value(setting: str, value: object, hint: Any) -> None:  # noqa: ANN401
    """Raise ValueError unless the value fits the annotation, naming what is allowed and what was probably meant."""
    if not fits(value, hint):
        meant = _meant(value, hint)
        suggestion = '' if meant is None else f' Did you mean {setting.rpartition(".")[2]} = {meant}?'
        raise ValueError(f'{setting} must be {describe(hint)}, got {as_code(value)}.{suggestion}')


def fits(value: object, hint: Any) -> bool:  # noqa: ANN401, PLR0911  one case per kind of annotation
    """Whether the annotation allows the value."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        # NaN lies in no range, so this refuses it too.
        return fits(value, arguments[0]) and all(value in bound for bound in arguments[1:] if isinstance(bound, Range))
    if _is_union(hint):
        return any(fits(value, choice) for choice in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        entries = _entries(arguments, len(value))
        return len(entries) == len(value) and all(map(fits, value, entries))
    if hint is None or hint is type(None):
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def describe(hint: Any) -> str:  # noqa: ANN401, PLR0911  one case per kind of annotation
    """What the annotation allows, to stand behind 'must be'."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return ' '.join([describe(arguments[0]), *(str(bound) for bound in arguments[1:])])
    if _is_union(hint):
        if is_choice_of_kinds(hint):
            return 'one of ' + ', '.join(map(signature, arguments))
        return ' or '.join(describe(choice) for choice in arguments)
    if origin is typing.Literal:
        return 'one of ' + ', '.join(repr(choice) for choice in arguments)
    if origin is tuple:
        if arguments[-1] is ...:
            return f'a tuple in which each entry is {describe(arguments[0])}'
        return f'a tuple of ({", ".join(describe(entry) for entry in arguments)})'
    if hint is None or hint is type(None):
        return 'None'
    if isinstance(hint, type) and issubclass(hint, Enum):
        article = 'an' if hint.__name__[0] in 'AEIOU' else 'a'
        return f'{article} {hint.__name__} ({", ".join(member.name for member in hint)})'
    own = getattr(hint, 'described_as', f'of type {getattr(hint, "__name__", hint)}')
    return {int: 'a whole number', float: 'a finite number', bool: 'True or False', str: 'a text'}.get(hint, own)


def signature(kind: type) -> str:
    """Name of a dataclass and what it takes by position: `MultiStep(milestones, gamma)`."""
    return f'{kind.__name__}({", ".join(field.name for field in dataclasses.fields(kind) if not field.kw_only)})'


def as_code(value: object) -> str:
    """The value as it is written in Python, dataclasses without what is their default."""
    if isinstance(value, Enum):
        return f'{type(value).__name__}.{value.name}'
    if isinstance(value, tuple):
        entries = ', '.join(map(as_code, value))
        return f'({entries},)' if len(value) == 1 else f'({entries})'
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return repr(value)
    written = []
    for field in sorted(dataclasses.fields(value), key=lambda field: field.kw_only is True):
        entry = getattr(value, field.name)
        if field.default is dataclasses.MISSING and not field.kw_only:
            written.append(as_code(entry))
        elif entry != field.default:
            written.append(f'{field.name}={as_code(entry)}')
    return f'{type(value).__name__}({", ".join(written)})'


def nearest_name(name: str, hints: Mapping[str, Any]) -> str:
    """A sentence on the setting that was probably meant by an unknown name; or on all there are.

    Args:
        name: the unknown one.
        hints: annotations of the known settings; those of the values that they take are searched as well.
    """
    known = {setting: f'Did you mean {setting!r}?' for setting in hints if not setting.startswith('_')}
    all_names = f' There are: {", ".join(sorted(known))}.'
    for setting, hint in hints.items():
        for kind in reversed(typing.get_args(hint) if is_choice_of_kinds(hint) else ()):
            for field in dataclasses.fields(kind):
                written = ', '.join(f'{each}=…' for each in {**_required(kind), field.name: None})
                part = f'It is part of {setting}, such as {setting} = {kind.__name__}({written}).'
                known[field.name] = part if field.name not in hints else known[field.name]
    close = difflib.get_close_matches(name, known, n=1)
    return f' {known[close[0]]}' if close else all_names


def _required(kind: Any) -> dict[str, None]:  # noqa: ANN401
    return {field.name: None for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING}


def is_choice_of_kinds(hint: object) -> bool:
    """Whether the annotation is a union of dataclasses, such as that of all schedules."""
    return _is_union(hint) and all(map(dataclasses.is_dataclass, typing.get_args(hint)))


def _is_union(hint: object) -> bool:
    return typing.get_origin(hint) in (types.UnionType, typing.Union)


def _entries(arguments: tuple[Any, ...], length: int) -> list[Any]:
    return [arguments[0]] * length if len(arguments) == 2 and arguments[1] is ... else list(arguments)


def _meant(value: object, hint: Any) -> str | None:  # noqa: ANN401, PLR0911  one case per kind of annotation
    """The allowed value that was probably meant, as code; None if there is no guess."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if fits(value, hint):
        return as_code(value)
    if origin is Annotated:
        bounds = [bound for bound in arguments[1:] if isinstance(bound, Range)]
        return _meant_number(value, arguments[0], bounds[0] if bounds else Range(-math.inf))
    if _is_union(hint):
        return next(filter(None, (_meant(value, choice) for choice in arguments)), None)
    if origin is typing.Literal:
        return _closest(value, {str(choice): repr(choice) for choice in arguments})
    if origin is tuple:
        return _meant_tuple(value, arguments)
    if not isinstance(hint, type):
        return None
    if issubclass(hint, Enum):
        return _closest(value, {member.name: as_code(member) for member in hint})
    return _meant_kind(value, hint) if dataclasses.is_dataclass(hint) else _meant_number(value, hint, Range(-math.inf))


def _meant_number(value: object, kind: type, allowed: Range) -> str | None:
    if kind not in {int, float} or isinstance(value, bool):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever it is
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    number = float(min(max(number, allowed.minimum), allowed.maximum))
    return repr(int(number)) if number.is_integer() and (kind is int or isinstance(value, int)) else repr(kind(number))


def _meant_tuple(value: object, arguments: tuple[Any, ...]) -> str | None:
    given = list(value) if isinstance(value, tuple | list) else [value]
    kinds = _entries(arguments, len(given))
    if not given or len(kinds) != len(given):
        return None
    entries = [_meant(entry, kind) for entry, kind in zip(given, kinds, strict=True)]
    if not all(entries):
        return None
    return f'({entries[0]},)' if len(entries) == 1 else f'({", ".join(map(str, entries))})'


def _meant_kind(value: object, kind: Any) -> str | None:  # noqa: ANN401
    """For a dataclass: its name as a text or without parentheses, a named one of its kind, or its first field alone."""
    named = kind.named() if hasattr(kind, 'named') else {}
    fields = [field for field in dataclasses.fields(kind) if not field.kw_only]
    if value is kind or isinstance(value, str) and value.partition('(')[0].lower() == kind.__name__.lower():
        written = [
            f'{field.name}={"…" if field.default is dataclasses.MISSING else as_code(field.default)}'
            for field in fields[:1]
        ]
        return f'{kind.__name__}({", ".join(written)})'
    if named:
        return _closest(value, named)
    if fields and fields[0].default is dataclasses.MISSING:
        hint = typing.get_type_hints(kind, include_extras=True)[fields[0].name]
        first = None if isinstance(hint, type) and issubclass(hint, str) else _meant(value, hint)
        return None if first is None else f'{kind.__name__}({first})'
    return None


def _closest(value: object, choices: Mapping[str, str]) -> str | None:
    """The code of the choice whose name is most like a text."""
    if not isinstance(value, str):
        return None
    by_lower_case = {name.lower(): code for name, code in choices.items()}
    close = difflib.get_close_matches(value.rpartition('.')[2].lower(), by_lower_case, n=1)
    return by_lower_case[close[0]] if close else None
