"""Rows find their test, model and seed, whatever else stands in the tables."""

import logging
from pathlib import Path

import pytest

from Configuration.protocols import LIIF
from Orchestrators.Comparison.metrics import metric_named, metrics_of
from Orchestrators.Comparison.result_files import read_results
from Orchestrators.Comparison.scores import Scores, gather_scores
from Orchestrators.Comparison.scores import Test as SharedTest
from tests.result_tables import BASE, Cells, bicubic, model, rows_of, write


def gather(tmp_path: Path, *tables: list[dict[str, str]]) -> Scores:
    files = [write(tmp_path / f'{number}_images.csv', rows) for number, rows in enumerate(tables)]
    return gather_scores(read_results(files).pictures)


def psnr_of(scores: Scores, name: str) -> list[float | None]:
    (models,) = scores.tests.values()
    (pictures,) = models[name].values()
    return [row.number('PSNR') for row in pictures.values()]


@pytest.mark.parametrize(
    'other',
    [{'protocol': 'own'}, {'lr': 'pillow bicubic'}, {'color': 'RGB'}, {'border_px': '4'}, {'benchmark': 'Set14'},
     {'scale': '3'}, {'scale': '2x3.5'}, {'eval_size': '640x480'}, {'protocol_fields': 'rounded'}],
)  # fmt: skip
def test_rows_of_different_tests_never_meet(tmp_path: Path, other: Cells) -> None:
    scores = gather(tmp_path, model('A', [30, 31]), model('B', [32, 33], **other))
    assert [list(models) for models in scores.tests.values()].count(['EDSR-LIIF A']) == 1
    assert len(scores.tests) == 2


@pytest.mark.parametrize('cells', [{'scale': '2.0'}, {'device': 'cuda'}, {'code_version': '9'}, {'gpu_memory': '1'}])
def test_what_is_no_part_of_a_test_does_not_part_rows(tmp_path: Path, cells: Cells) -> None:
    scores = gather(tmp_path, model('A', [30, 31]), model('B', [32, 33], **cells))
    (models,) = scores.tests.values()
    assert set(models) == {'EDSR-LIIF A', 'EDSR-LIIF B'}


def test_of_a_checkpoint_tested_twice_the_latest_scores_count(tmp_path: Path) -> None:
    later, earlier = model('A', [31, 32], time='2026-02-01'), model('A', [1, 2], time='2026-01-01')
    assert psnr_of(gather(tmp_path, later, earlier), 'EDSR-LIIF A') == [31, 32]
    assert psnr_of(gather(tmp_path, earlier, later), 'EDSR-LIIF A') == [31, 32]
    assert psnr_of(gather(tmp_path, earlier + later), 'EDSR-LIIF A') == [31, 32]
    partly = gather(tmp_path, earlier, later[:1])
    assert psnr_of(partly, 'EDSR-LIIF A') == [31, 2]


def test_seeds_are_runs_of_one_model(tmp_path: Path) -> None:
    scores = gather(tmp_path, *(model('A', [30, 31], seed=seed) for seed in ('2', '10', '0')))
    assert {name: [run.name for run in runs] for name, runs in scores.runs.items()} == {
        'EDSR-LIIF A': ['seed 0', 'seed 2', 'seed 10']
    }


def test_equal_seeds_with_other_weights_are_two_models(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tables = (model('A', [30], checkpoint_sha256='11112222'), model('A', [31], checkpoint_sha256='33334444'))
    assert set(gather(tmp_path, *tables).runs) == {'EDSR-LIIF A (11112222)', 'EDSR-LIIF A (33334444)'}
    (message,) = caplog.messages
    assert 'same name and seed' in message


def test_names_have_what_tells_models_apart_and_no_more(tmp_path: Path) -> None:
    patched = model('A', [30], strategy='Patched', breakdown_patch_size='48')
    ensembled = model('A', [31], self_ensemble='8')
    wide = model('B', [30], scale_range='1-6', checkpoint_sha256='w', checkpoint='m_last.pth')
    scores = gather(tmp_path, model('A', [30]), patched, ensembled, model('B', [30]), wide, model('C', [30]))
    assert set(scores.runs) == {
        'EDSR-LIIF A (Simple)', 'EDSR-LIIF A (Patched, tile 48)', 'EDSR-LIIF A (Simple, ensemble 8)',
        'EDSR-LIIF B (x1-4, best)', 'EDSR-LIIF B (x1-6, last)', 'EDSR-LIIF C',
    }  # fmt: skip


def test_tables_of_earlier_versions_without_seed_and_hash_are_read(tmp_path: Path) -> None:
    rows = [{name: cell for name, cell in row.items() if name not in ('seed', 'checkpoint_sha256', 'strategy')}
            for row in model('A', [30, 31]) + bicubic([28, 29])]  # fmt: skip
    scores = gather(tmp_path, rows)
    assert list(scores.runs) == ['EDSR-LIIF A', 'bicubic']
    assert psnr_of(scores, 'EDSR-LIIF A') == [30, 31]


def test_an_empty_cell_is_missing_and_not_zero(tmp_path: Path) -> None:
    assert psnr_of(gather(tmp_path, model('A', ['', 31, 'inf'])), 'EDSR-LIIF A') == [None, 31, float('inf')]


def test_bicubic_is_one_model_and_tells_whether_pictures_are_the_same(tmp_path: Path) -> None:
    same = gather(tmp_path, model('A', [30]) + bicubic([28]), model('B', [31]) + bicubic([28.001], strategy='Patched'))
    assert list(same.runs) == ['EDSR-LIIF A', 'EDSR-LIIF B', 'bicubic']
    with pytest.raises(ValueError, match=r'bicubic .* of p0 has 28\.000 dB .* and 27\.000 dB .* not the same'):
        gather(tmp_path, model('A', [30]) + bicubic([28]), model('B', [31]) + bicubic([27]))


def test_folders_are_searched_and_a_summary_names_its_neighbor(tmp_path: Path) -> None:
    write(tmp_path / 'seed0' / 'results' / 'm_images.csv', model('A', [30]))
    summary = write(
        tmp_path / 'seed0' / 'results' / 'm.csv', [{name: BASE[name] for name in BASE} | {'parameters': '7'}]
    )
    write(tmp_path / 'comparison.csv', [{'metric': 'PSNR'}])
    for entry in (tmp_path, summary):
        found = read_results([entry])
        assert [row.picture for row in found.pictures] == ['p0']
        assert [row.number('parameters') for row in found.summaries] == [7]
    assert len(read_results([tmp_path, summary]).pictures) == 1


def test_a_line_that_was_cut_off_is_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = write(tmp_path / 'm_images.csv', model('A', [30, 31]))
    file.write_text(file.read_text(encoding='utf-8')[:-30], encoding='utf-8')
    caplog.set_level(logging.WARNING)
    assert len(read_results([file]).pictures) == 1
    assert 'line 3 is cut off' in caplog.text


def test_what_is_no_table_of_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no table or folder .*missing'):
        read_results([tmp_path / 'missing'])
    with pytest.raises(FileNotFoundError, match='no scores of pictures'):
        read_results([tmp_path])
    with pytest.raises(ValueError, match='no column method, benchmark'):
        read_results([write(tmp_path / 'other_images.csv', [{'picture': 'p', 'scale': '2'}])])
    file = write(tmp_path / 'm_images.csv', rows_of(['30', 'abc']))
    with pytest.raises(ValueError, match=r"m_images\.csv, line 3: PSNR should be a number, got 'abc'"):
        [row.number('PSNR') for row in read_results([file]).pictures]


def test_metrics_are_those_with_scores_and_know_their_direction(tmp_path: Path) -> None:
    rows = rows_of([30], SSIM='0.9', LPIPS='')
    found = read_results([write(tmp_path / 'm_images.csv', rows)]).pictures
    assert [metric.name for metric in metrics_of(found, 'PSNR')] == ['PSNR', 'SSIM']
    assert [metric.name for metric in metrics_of(found, 'SSIM')] == ['SSIM', 'PSNR']
    assert metric_named('PSNR').higher_is_better
    assert not metric_named('LPIPS').higher_is_better
    with pytest.raises(ValueError, match='No picture has a score by LPIPS'):
        metrics_of(found, 'LPIPS')
    with pytest.raises(ValueError, match=r"one of PSNR, .* got 'psnr'"):
        metrics_of(found, 'psnr')


def test_the_name_of_a_published_protocol_stands_for_its_fields() -> None:
    published = SharedTest('B100', '4', (('protocol', 'liif'), ('protocol_fields', LIIF.describe())))
    assert published.conditions == 'protocol liif'
    own = SharedTest('B100', '4', (('protocol', 'liif'), ('protocol_fields', 'color=RGB')))
    assert own.conditions == 'protocol liif, protocol_fields color=RGB'
