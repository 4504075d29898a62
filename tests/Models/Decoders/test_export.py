"""Plain forms depend on no data and build nothing from sizes, so networks can be taken elsewhere."""

import json
import multiprocessing
from pathlib import Path

import pytest

from tests.exporting import compare_exported


def test_networks_are_exported_with_free_height_width_and_number_of_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIIF also as two graphs, for the image and for any coordinates. Means over all queries may round otherwise."""
    monkeypatch.setenv('PYTHONPATH', str(Path(__file__).parents[3]))
    process = multiprocessing.get_context('forkserver').Process(
        target=compare_exported, args=(tmp_path / 'found.json',)
    )
    process.start()
    process.join(300)
    assert process.exitcode == 0
    found = json.loads((tmp_path / 'found.json').read_text())
    assert len(found) == 8
    for name, differences in found.items():
        assert len(differences) >= 3, name
        assert max(differences) <= 2e-6, name
