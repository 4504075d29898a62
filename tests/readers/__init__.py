"""One reader for each kind of fixture: a module of this folder, found by itself.

A reader has `claims(meta) -> bool`, which says by the fixture's `meta` alone that this kind is its own, and
`check(reference) -> None`, which fails unless ours does what the fixture shows. It takes all it needs from `meta` and
the arrays, nothing from file names, widths or sizes. `NotInThisFrameworkError` names a class that does not exist here.
"""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple

import Models
from tests.reference_files import Reference

Meta = Mapping[str, Any]


class NotInThisFrameworkError(Exception):
    """A fixture is of a class that this framework does not have yet; the message is that class's name."""


class Reader(NamedTuple):
    """A module of this folder."""

    name: str
    claims: Callable[[Meta], bool]
    check: Callable[[Reference], None]


def readers() -> Iterator[Reader]:
    for module in pkgutil.iter_modules(__path__):
        reader = importlib.import_module(f'{__name__}.{module.name}')
        yield Reader(module.name, reader.claims, reader.check)


def check(reference: Reference) -> None:
    """Let the one reader that claims a fixture check it.

    Raises:
        AssertionError: if ours differs from the fixture, or two readers claim it.
        NotInThisFrameworkError: if none does, and no class of this framework has that name.
    """
    claiming = [reader for reader in readers() if reader.claims(reference.meta)]
    assert len(claiming) <= 1, f'{reference.name} is claimed by {" and ".join(reader.name for reader in claiming)}.'
    if not claiming:
        raise NotInThisFrameworkError(reference.kind)
    claiming[0].check(reference)


def is_of_this_framework(name: str) -> bool:
    """Whether the vocabulary has a class of that name, spelled with or without punctuation, capitals and remarks."""
    words = re.findall(r'[\w-]+', name)
    return bool(words) and _plain(words[0]) in {_plain(member) for member in _vocabulary()}


def _vocabulary() -> Iterator[str]:
    for kinds in vars(Models).values():
        if isinstance(kinds, type) and issubclass(kinds, Enum):
            yield from kinds.__members__


def _plain(name: str) -> str:
    return re.sub(r'[\W_]', '', name).casefold()
