"""Plain forms depend on no data and build nothing from sizes, so a network can be taken elsewhere as two graphs."""

import json
import multiprocessing
from pathlib import Path

import pytest

from tests.exporting import compare_exported


@pytest.mark.parametrize('options', [{}, {'local_ensemble': False}, {'feat_unfold': False, 'cell_decode': False}])
def test_liif_is_exported_with_free_height_width_and_number_of_queries(
    options: dict[str, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('PYTHONPATH', str(Path(__file__).parents[3]))
    arguments = (options, tmp_path / 'found.json')
    process = multiprocessing.get_context('forkserver').Process(target=compare_exported, args=arguments)
    process.start()
    process.join(300)
    assert process.exitcode == 0
    found = json.loads((tmp_path / 'found.json').read_text())
    assert found['spread'] > 0.02
    assert max(found['differences']) <= 1e-6
