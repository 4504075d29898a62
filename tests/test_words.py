"""Docstrings are written in the field's words, in American spelling, and state instead of asking."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ('Configuration', 'Models', 'Losses', 'Datasets', 'Orchestrators', 'Utilities')
STATING = ('Datasets', 'Orchestrators/Evaluation', 'Orchestrators/Prediction', 'Orchestrators/Comparison', 'Utilities')
"""Rooms whose docstrings have been gone through; more may join."""

FOREIGN = {
    r'centre[ds]?|colours?|greys?|neighbours?|behaviours?|favours?|normalis\w+|optimis[ae]\w*': 'American spelling',
    r'halos?': 'receptive field',
    r'(a|the|each|every|no|learned) judges?': 'metric',
}
ASKING = re.compile(r'(Where|What|Which|How|Who|Why)\b')


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Docstrings of modules, classes and functions, and those under a name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in node.body:
                value = inner.value if isinstance(inner, ast.Expr) else None
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield inner.lineno, value.value


def foreign_words(text: str) -> list[str]:
    return [
        f'{found[0]!r}, here: {instead}'
        for word, instead in FOREIGN.items()
        for found in re.finditer(rf'\b({word})\b', text, re.IGNORECASE)
    ]


def files_of(*rooms: str) -> list[Path]:
    return [file for room in rooms for file in sorted((ROOT / room).rglob('*.py'))]


def test_docstrings_have_the_words_of_the_field() -> None:
    found = [
        f'{file.relative_to(ROOT)}:{line}: {words}'
        for file in files_of(*ROOMS)
        for line, text in docstrings(file.read_text(encoding='utf-8'))
        if (words := foreign_words(text))
    ]
    assert found == []


def test_docstrings_state_instead_of_asking() -> None:
    found = [
        f'{file.relative_to(ROOT)}:{line}: {text.splitlines()[0]}'
        for file in files_of(*STATING)
        for line, text in docstrings(file.read_text(encoding='utf-8'))
        if ASKING.match(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    ('text', 'count'),
    [
        ('The centre of a pixel, its colour.', 2), ('Neighbours that a halo has', 2), ('It is no judge.', 1),
        ('Color of the center; normalize.', 0), ('The discriminator judges them.', 0),
    ],
)  # fmt: skip
def test_planted_words_are_found(text: str, count: int) -> None:
    assert len(foreign_words(text)) == count


def test_a_planted_question_is_found_wherever_it_stands() -> None:
    source = '"""Where pixels are."""\nclass A:\n    """States."""\n    b = 1\n    """What it is."""\n'
    assert [bool(ASKING.match(text)) for _, text in docstrings(source)] == [True, False, True]
