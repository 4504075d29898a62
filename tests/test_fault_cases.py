"""Every case of the list of faults and bad input is named by a test: `grep -rn 'FAULTS case' tests`."""

import re
from pathlib import Path

CASES = set(range(1, 49))
NOT_TESTED = {
    32: 'a small /dev/shm needs a mount; what the run then says is tested in test_killing.py, by a killed worker',
}
NAMED = re.compile(r'FAULTS cases? ([\d, to\-and]+)')


def cases_in(text: str) -> set[int]:
    """Numbers behind the words: `case 4`, `cases 6 to 8, 10 and 35`."""
    found: set[int] = set()
    for numbers in NAMED.findall(text):
        for first, last in re.findall(r'(\d+)(?: to (\d+))?', numbers):
            found |= set(range(int(first), int(last or first) + 1))
    return found


def test_numbers_are_read_as_they_are_written() -> None:
    assert cases_in('(FAULTS cases 6 to 8, 10 and 35). FAULTS case 4: 99 of 100') == {4, 6, 7, 8, 10, 35}


def test_every_case_is_named_by_a_test() -> None:
    here = Path(__file__)
    named: set[int] = set()
    for file in here.parent.rglob('test_*.py'):
        if file != here:
            named |= cases_in(file.read_text(encoding='utf-8'))
    assert named | set(NOT_TESTED) == CASES
    assert not named & set(NOT_TESTED), 'now tested: take it from NOT_TESTED'
