"""The command for GPUs runs to its end without one, in its dry form."""

import json
from pathlib import Path

import pytest
import torch

from Orchestrators.gpu_check import STAGES, Setting, _arguments, check, describe, main

# Compiling takes half a minute, and the tests have the tests themselves as theirs.
QUICK = [stage for stage in STAGES if stage not in ('compiled', 'tests')]
DRY = Setting(torch.device('cpu'), dry=True)


def test_every_stage_runs_dry_and_writes_as_it_ends(tmp_path: Path) -> None:
    page = check(DRY, QUICK, tmp_path)
    found = json.loads((tmp_path / 'gpu.json').read_text(encoding='utf-8'))
    assert list(found) == QUICK
    failed = [row['failed'] for stage in found.values() for row in stage['rows'] if 'failed' in row]
    assert not failed
    needs_gpu = {'fused', 'profiles'}
    assert {stage for stage, content in found.items() if not content['rows']} == needs_gpu
    assert found['inference']['rows'][0]['largest difference'] < 1e-5
    assert page.read_text(encoding='utf-8') == describe(found)


def test_a_stage_that_fails_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(setting: Setting) -> list[dict[str, object]]:
        raise RuntimeError(f'no {setting.device} today')

    (tmp_path / 'gpu.json').write_text(json.dumps({'chunks': {'machine': 'H', 'seconds': 1, 'rows': [{'ms': 12.345}]}}))
    monkeypatch.setattr('Orchestrators.gpu_check.STAGES', dict(STAGES) | {'inference': fail})
    page = check(DRY, ['inference', 'processes'], tmp_path).read_text(encoding='utf-8')
    assert 'RuntimeError: no cpu today' in page
    assert '| gloo | yes |' in page
    assert '| 12.3 |' in page  # what an earlier call has found


def test_without_a_gpu_the_command_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr('sys.argv', ['gpu_check'])
    with pytest.raises(ValueError, match='no GPU here .*--dry'):
        main(_arguments())
