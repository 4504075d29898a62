"""Configurations as plain Python classes: subclass, assign, and every mistake is found at once.

`class TrainMine(TrainSimple): epochs = 500` is all a user writes. A plain frozen dataclass would ignore that line,
since an undecorated subclass keeps its parent's `__init__` and with it the old default; so subclassing decorates by
itself.
"""

import dataclasses
import inspect
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, ClassVar, Self

from Configuration.annotations import Range, as_code, check_value, nearest_name, signature

__all__ = ['Count', 'FrozenConfiguration', 'Options', 'Range', 'Value']

Count = Annotated[int, Range(1)]
"""A whole number from 1 on."""


class Options(Mapping[str, Any]):
    """A read-only mapping from option names to values, with a hash, so that it can be a default.

    Where a configuration expects one, a plain `dict` is turned into it.
    """

    described_as = 'a dictionary of options by name'

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
    if isinstance(value, Mapping):
        return Options(value)
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

    _is_value: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = inspect.get_annotations(cls)
        known = {
            name: hint for base in reversed(cls.__mro__[1:]) for name, hint in inspect.get_annotations(base).items()
        }
        for name, value in list(vars(cls).items()):
            if name.startswith('_') or name in own or name not in known and _is_behavior(value):
                continue
            if name not in known:
                raise ValueError(f'{cls.__name__} has no setting {name!r}.{nearest_name(name, known)}')
            own[name] = known[name]
        cls.__annotations__ = own
        hints = typing.get_type_hints(cls, include_extras=True)
        for name in own:
            if name in vars(cls) and typing.get_origin(hints[name]) is not typing.ClassVar:
                value = _as_options(vars(cls)[name], hints[name])
                setattr(cls, name, value)
                check_value(f'{cls.__name__}.{name}', value, hints[name])
        dataclasses.dataclass(frozen=True, kw_only=not cls._is_value, repr=not cls._is_value)(cls)

    def __new__(cls, *arguments: object, **settings: object) -> Self:
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # a subclass is one
        if len(arguments) > sum(not field.kw_only for field in fields):
            raise ValueError(
                f'{signature(cls)} takes no more settings without a name, got {", ".join(map(as_code, arguments))}.'
                if cls._is_value
                else f'{cls.__name__} takes its settings by name, got {as_code(arguments[0])} without one.'
            )
        for name in settings:
            if name not in (field.name for field in fields):
                hints = typing.get_type_hints(cls, include_extras=True)
                raise ValueError(f'{cls.__name__} has no setting {name!r}.{nearest_name(name, hints)}')
        return super().__new__(cls)

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self), include_extras=True)
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = _as_options(getattr(self, field.name), hints[field.name])
            object.__setattr__(self, field.name, value)
            check_value(f'{type(self).__name__}.{field.name}', value, hints[field.name])
        self.check()

    def check(self) -> None:
        """Compare settings with each other; subclasses extend it and raise ValueError."""

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON has them: enum members by name, tuples as lists."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {field.name: _plain(getattr(self, field.name)) for field in fields}


def _is_behavior(value: object) -> bool:
    return callable(value) or isinstance(value, property | classmethod | staticmethod)


def _as_options(value: object, hint: object) -> object:
    return Options(value) if hint is Options and isinstance(value, dict) else value


def _plain(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    if isinstance(value, FrozenConfiguration):
        return value.to_dict()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


@typing.dataclass_transform(frozen_default=True)
class Value(FrozenConfiguration):
    """Base of the values of a setting that has several kinds, each with settings of its own: `Cosine(1e-6)`.

    They may be given by position. In `to_dict` of the configuration, `kind` names the class.
    """

    _is_value = True

    def __repr__(self) -> str:
        return as_code(self)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON has them, after the class's name."""
        return {'kind': type(self).__name__} | super().to_dict()
