"""From an enum member to the class that it names."""

import importlib
import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from enum import Enum
from typing import Any


def find_class(member: Enum, package: str) -> type:
    """The class named by a member, from the file named by the class.

    Args:
        member: such as `EncoderType.EDSR`.
        package: where the files are, such as `Models.Encoders`.

    Raises:
        ValueError: if there is no such file, or no such class in it.
    """
    module_name = f'{package}.{member.name}'
    file = module_name.replace('.', '/') + '.py'
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        raise ValueError(f'{member} needs a file {file} with a class {member.name}; there is none.') from error
    found = getattr(module, member.name, None)
    if not inspect.isclass(found):
        raise ValueError(f'{member} needs a class {member.name} in {file}; there is none.')
    return found


def check_options(found: type, options: Mapping[str, Any], setting: str, *, given: tuple[str, ...] = ()) -> None:
    """Refuse options that a class's constructor does not take.

    Args:
        found: the class.
        options: arguments by name, as the user wrote them.
        setting: name of the setting that holds them, for the message.
        given: arguments that the framework fills in, and that the user may not.

    Raises:
        ValueError: naming the unknown option and the nearest known one.
    """
    known = [name for name in inspect.signature(found).parameters if name not in given]
    for name in options:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f'Did you mean {close[0]!r}?' if close else f'There are: {", ".join(known) or "none"}.'
            raise ValueError(f'{setting}: {found.__name__} has no option {name!r}. {hint}')
