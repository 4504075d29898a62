"""Many problems in one message."""

from collections.abc import Sequence

_SHOWN = 20


def list_problems(problems: Sequence[str]) -> str:
    """One indented line for each of the first twenty, each on a line of its own, and how many more there are."""
    shown = [f'\n  {problem}' for problem in problems[:_SHOWN]]
    more = f'\n  and {len(problems) - _SHOWN} more' if len(problems) > _SHOWN else ''
    return ''.join(shown) + more
