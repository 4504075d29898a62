"""Files that are whole or not there, and what to say of many that are wrong."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

TEMPORARY = '.tmp-'
"""The names of files that are not whole yet begin so."""

_LONGEST_NAME = 200
"""Bytes of a name that the temporary one repeats whole, of the 255 that most file systems allow."""


@contextlib.contextmanager
def replacing(path: Path, *, previous: Path | None = None) -> Iterator[Path]:
    """A file beside `path` to write into, which takes its name at the end; on an error `path` stays as it was.

    Each process has one of its own, so that two that write the same file do not disturb each other.

    Args:
        path: the file that comes to be.
        previous: name under which the file that is replaced is kept; at no moment is `path` absent for it.
    """
    temporary = _beside(path)
    try:
        yield temporary
        if previous is not None and path.exists():
            _keep_as(path, previous)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file of text as UTF-8, whole or not at all, and its folder if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding='utf-8', newline='')


def _beside(path: Path) -> Path:
    name = path.name if len(os.fsencode(path.name)) <= _LONGEST_NAME else path.name[-40:]
    return path.with_name(f'{TEMPORARY}{os.getpid()}-{name}')


def _keep_as(path: Path, previous: Path) -> None:
    """Give the present file a second name without `path` being absent for a moment."""
    temporary = _beside(previous)
    temporary.unlink(missing_ok=True)
    try:
        try:
            os.link(path, temporary)
        except OSError:
            # File systems without hard links (FAT, some network shares).
            shutil.copy2(path, temporary)
        os.replace(temporary, previous)
    finally:
        temporary.unlink(missing_ok=True)


_SHOWN = 20


def list_problems(problems: Sequence[str]) -> str:
    """One indented line for each of the first twenty, each on a line of its own, and how many more there are."""
    shown = [f'\n  {problem}' for problem in problems[:_SHOWN]]
    more = f'\n  and {len(problems) - _SHOWN} more' if len(problems) > _SHOWN else ''
    return ''.join(shown) + more
