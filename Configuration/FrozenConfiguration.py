"""Configurations as plain Python classes: subclass, assign, and every mistake is found at once.

`class TrainMine(TrainSimple): epochs = 500` is all a user writes. A plain frozen dataclass would ignore that line,
since an undecorated subclass keeps its parent's `__init__` and with it the old default; so subclassing decorates by
itself.
"""

import dataclasses
import difflib
import inspect
import math
import types
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, Self

_PLAIN_TYPES = (bool, int, float, str)


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


Count = Annotated[int, Range(1)]
"""A whole number from 1 on."""


class Options(Mapping[str, Any]):
    """A read-only mapping from option names to values, with a hash, so that it can be a default.

    Where a configuration expects one, a plain `dict` is turned into it.
    """

    def __init__(self, *arguments: Mapping[str, Any], **options: Any) -> None:  # noqa: ANN401
        self._items = {name: _freeze(value) for name, value in dict(*arguments, **options).items()}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._items.items())))

    def __repr__(self) -> str:
        return f'Options({self._items!r})'


def _freeze(value: object) -> object:
    return tuple(_freeze(entry) for entry in value) if isinstance(value, list | tuple) else value


@typing.dataclass_transform(frozen_default=True, kw_only_default=True)
class FrozenConfiguration:
    """Base of all configurations: frozen, keyword-only, checked.

    A subclass may assign existing settings and annotate new ones; no decorator is needed. Names, types and ranges are
    checked when the subclass is defined, and again when it is built. `check` is where a subclass compares settings
    with each other.

    Raises:
        ValueError: for an unknown name (with the nearest known one), a wrong type or a value out of range.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = inspect.get_annotations(cls)
        known = {
            name: hint for base in reversed(cls.__mro__[1:]) for name, hint in inspect.get_annotations(base).items()
        }
        for name, value in list(vars(cls).items()):
            if name.startswith('_') or name in own or _is_behavior(value):
                continue
            if name not in known:
                raise ValueError(f'{cls.__name__} has no setting {name!r}.{_nearest(name, known)}')
            own[name] = known[name]
        cls.__annotations__ = own
        hints = typing.get_type_hints(cls, include_extras=True)
        for name in own:
            if name in vars(cls) and typing.get_origin(hints[name]) is not typing.ClassVar:
                value = _as_options(vars(cls)[name], hints[name])
                setattr(cls, name, value)
                _check_value(f'{cls.__name__}.{name}', value, hints[name])
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)

    def __new__(cls, *arguments: object, **settings: object) -> Self:
        if arguments:
            raise ValueError(f'{cls.__name__} takes its settings by name, got {arguments[0]!r} without one.')
        known = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]  # a subclass is one
        for name in settings:
            if name not in known:
                raise ValueError(f'{cls.__name__} has no setting {name!r}.{_nearest(name, known)}')
        return super().__new__(cls)

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self), include_extras=True)
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = _as_options(getattr(self, field.name), hints[field.name])
            object.__setattr__(self, field.name, value)
            _check_value(f'{type(self).__name__}.{field.name}', value, hints[field.name])
        self.check()

    def check(self) -> None:
        """Compare settings with each other; subclasses extend it and raise ValueError."""

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON has them: enum members by name, tuples as lists."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {field.name: _plain(getattr(self, field.name)) for field in fields}


def _is_behavior(value: object) -> bool:
    return callable(value) or isinstance(value, property | classmethod | staticmethod)


def _nearest(name: str, known: typing.Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f' Did you mean {close[0]!r}?' if close else f' There are: {", ".join(sorted(known))}.'


def _as_options(value: object, hint: object) -> object:
    return Options(value) if hint is Options and isinstance(value, dict) else value


def _plain(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def _check_value(setting: str, value: object, hint: Any) -> None:  # noqa: ANN401
    """Raise ValueError unless the value fits the annotation, naming what is allowed."""
    if not _fits(value, hint):
        raise ValueError(f'{setting} must be {_describe(hint)}, got {value!r}.{_enum_hint(value, hint)}')


def _fits(value: object, hint: Any) -> bool:  # noqa: ANN401, PLR0911  one case per kind of annotation
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        # NaN lies in no range, so this refuses it too.
        return _fits(value, arguments[0]) and all(value in bound for bound in arguments[1:] if isinstance(bound, Range))
    if origin in (types.UnionType, typing.Union):
        return any(_fits(value, choice) for choice in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        entries = [arguments[0]] * len(value) if len(arguments) == 2 and arguments[1] is ... else arguments  # noqa: PLR2004
        return len(entries) == len(value) and all(map(_fits, value, entries))
    if hint is None or hint is type(None):
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _describe(hint: Any) -> str:  # noqa: ANN401, PLR0911  one case per kind of annotation
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return ' '.join([_describe(arguments[0]), *(str(bound) for bound in arguments[1:])])
    if origin in (types.UnionType, typing.Union):
        return ' or '.join(_describe(choice) for choice in arguments)
    if origin is typing.Literal:
        return 'one of ' + ', '.join(repr(choice) for choice in arguments)
    if origin is tuple:
        if arguments[-1] is ...:
            return f'a tuple in which each entry is {_describe(arguments[0])}'
        return f'a tuple of ({", ".join(_describe(entry) for entry in arguments)})'
    if hint is None or hint is type(None):
        return 'None'
    if isinstance(hint, type) and issubclass(hint, Enum):
        article = 'an' if hint.__name__[0] in 'AEIOU' else 'a'
        return f'{article} {hint.__name__} ({", ".join(member.name for member in hint)})'
    return {int: 'a whole number', float: 'a finite number', bool: 'True or False', str: 'a text'}.get(
        hint, f'of type {getattr(hint, "__name__", hint)}'
    )


def _enum_hint(value: object, hint: Any) -> str:  # noqa: ANN401
    """For a text where an enum member belongs: the member that was probably meant."""
    if not isinstance(value, str):
        return ''
    for choice in (hint, *typing.get_args(hint)):
        if isinstance(choice, type) and issubclass(choice, Enum):
            close = difflib.get_close_matches(value.rpartition('.')[2], [member.name for member in choice], n=1)
            if close:
                return f' Did you mean {choice.__name__}.{close[0]}?'
    return ''
