"""Means, differences and their worth, worked by hand."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from Orchestrators.Comparison.comparisons import Result, compare
from Orchestrators.Comparison.metrics import metrics_of
from Orchestrators.Comparison.result_files import read_results
from Orchestrators.Comparison.scores import gather_scores
from Orchestrators.Comparison.statistics import bootstrap_intervals
from Orchestrators.Comparison.tables import Table, to_latex, to_markdown, write_comparisons
from tests.result_tables import bicubic, model, write


def results_of(
    tmp_path: Path, rows: Sequence[dict[str, str]], metric: str = 'PSNR', baseline: str | None = None
) -> list[Result]:
    pictures = read_results([write(tmp_path / 'm_images.csv', rows)]).pictures
    return compare(gather_scores(pictures), metrics_of(pictures, metric), baseline=baseline, resamples=500)


def test_a_model_with_seeds_has_their_mean_on_each_picture(tmp_path: Path) -> None:
    """A: seeds (30, 32, 34) and (32, 32, 38), so (31, 32, 36) and 33 in all; B: (30, 33, 33), 32 in all."""
    rows = model('A', [30, 32, 34], seed='0') + model('A', [32, 32, 38], seed='1') + model('B', [30, 33, 33])
    (result,) = results_of(tmp_path, rows)
    assert [(standing.model, standing.mean) for standing in result.standings] == [
        ('EDSR-LIIF A', 33),
        ('EDSR-LIIF B', 32),
    ]
    first, second = result.standings
    assert dict(first.seed_means) == {'seed 0': 32, 'seed 1': 34}
    assert first.seed_deviation == pytest.approx(math.sqrt(2))
    assert second.seed_deviation is None
    comparison = result.against('EDSR-LIIF A', 'EDSR-LIIF B')
    assert comparison is not None
    assert comparison.difference == 1
    assert (comparison.better, comparison.equal, comparison.worse) == (2, 0, 1)
    # Differences 1, -1, 3: ranks 1.5, 1.5, 3. W+ = 4.5 or more in 3 of 8 ways, so twice that.
    assert comparison.p_value == pytest.approx(6 / 8)
    # Seeds of A have 32 and 34, that of B has 32.
    assert comparison.seed_range == (0, 2)
    (expected,) = bootstrap_intervals(np.array([[1.0], [-1.0], [3.0]]), resamples=500)
    assert comparison.interval == expected
    backward = result.against('EDSR-LIIF B', 'EDSR-LIIF A')
    assert backward == comparison.reversed()
    assert backward is not None
    assert (backward.difference, backward.better, backward.seed_range) == (-1, 1, (-2, 0))


def test_where_lower_is_better_the_lower_wins(tmp_path: Path) -> None:
    rows = [row | {'LPIPS': row['PSNR']} for row in model('A', [0.3, 0.2]) + model('B', [0.1, 0.2])]
    (result,) = [found for found in results_of(tmp_path, rows, 'LPIPS') if found.metric.name == 'LPIPS']
    assert [standing.model for standing in result.standings] == ['EDSR-LIIF B', 'EDSR-LIIF A']
    (comparison,) = result.comparisons
    assert comparison.first == 'EDSR-LIIF B'
    assert comparison.difference == pytest.approx(-0.1)
    assert (comparison.better, comparison.equal, comparison.worse) == (1, 1, 0)


def test_only_pictures_that_all_have_finite_scores_of_count(tmp_path: Path) -> None:
    rows = model('A', [30, 'inf', 32, '']) + model('B', [31, 31, 35, 31]) + bicubic([29, 29, 29, 29])
    (result,) = results_of(tmp_path, rows)
    assert (result.pictures, result.left_out) == (('p0', 'p2'), 2)
    assert {standing.model: standing.mean for standing in result.standings} == {
        'EDSR-LIIF A': 31, 'EDSR-LIIF B': 33, 'bicubic': 29,
    }  # fmt: skip


def test_a_model_without_any_score_by_a_metric_takes_no_picture_away(tmp_path: Path) -> None:
    with_ssim = [row | {'SSIM': '0.5'} for row in model('A', [30, 31]) + model('B', [29, 30])]
    results = results_of(tmp_path, with_ssim + model('C', [28, 29]))
    by_name = {result.metric.name: result for result in results}
    assert len(by_name['PSNR'].standings) == 3
    assert len(by_name['SSIM'].standings) == 2
    assert len(by_name['SSIM'].pictures) == 2


def test_holms_family_is_every_comparison_of_the_metric(tmp_path: Path) -> None:
    """Six pictures give 1/32 at best. Two tests with three pairs each: six comparisons, so 6/32 for the smallest."""
    rows = []
    for scale in ('2', '4'):
        for place, name in enumerate('ABC'):
            rows += model(name, [20 - place - 0.01 * place * number for number in range(6)], scale=scale)
    results = results_of(tmp_path, rows)
    comparisons = [comparison for result in results for comparison in result.comparisons]
    assert [comparison.p_value for comparison in comparisons] == pytest.approx([1 / 32] * 6)
    assert [comparison.corrected_p_value for comparison in comparisons] == pytest.approx([6 / 32] * 6)
    against_b = results_of(tmp_path, rows, baseline='EDSR-LIIF B')
    comparisons = [comparison for result in against_b for comparison in result.comparisons]
    assert {comparison.second for comparison in comparisons} == {'EDSR-LIIF B'}
    assert [comparison.corrected_p_value for comparison in comparisons] == pytest.approx([4 / 32] * 4)


def test_an_unknown_baseline_and_pictures_in_common_with_none_are_refused(tmp_path: Path) -> None:
    rows = model('A', [30]) + model('B', [31])
    with pytest.raises(ValueError, match=r"no model 'C' .* There are: EDSR-LIIF A, EDSR-LIIF B"):
        results_of(tmp_path, rows, baseline='C')
    with pytest.raises(ValueError, match='no picture that every model'):
        results_of(tmp_path, rows[:1] + [rows[1] | {'picture': 'other'}])


def test_the_file_of_comparisons_has_full_numbers_and_empty_cells(tmp_path: Path) -> None:
    results = results_of(tmp_path, model('A', [30, 32.5]) + model('B', [29, 30]))
    write_comparisons(tmp_path / 'out' / 'comparison.csv', results)
    with (tmp_path / 'out' / 'comparison.csv').open(encoding='utf-8', newline='') as file:
        (row,) = csv.DictReader(file)
    expected = {
        'metric': 'PSNR', 'benchmark': 'Set5', 'scale': '2', 'protocol': 'liif', 'pictures': '2',
        'first': 'EDSR-LIIF A', 'second': 'EDSR-LIIF B', 'difference': '1.75', 'first_better': '2', 'equal': '0',
        'second_better': '0', 'p_wilcoxon': '0.5', 'first_seeds': '1', 'first_seed_sd': '', 'seed_difference_low': '',
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert float(row['interval_low']) == pytest.approx(1.0)
    assert float(row['interval_high']) == pytest.approx(2.5)


def test_tables_escape_what_their_languages_would_read() -> None:
    table = Table(
        '50%_off', 'a & b', ('#', 'model', 'PSNR'), (('1', 'A_{1}|\\x $5 <b>~^\n\\input{f}', '\N{MINUS SIGN}3'),)
    )
    latex = to_latex(table)
    assert (
        r'A\_\{1\}\textbar{}\textbackslash{}x \$5 \textless{}b\textgreater{}\textasciitilde{}\textasciicircum{}'
        in latex
    )
    assert r'\textbackslash{}input\{f\}' in latex
    assert r'$-$3 \\' in latex
    assert r'\caption{50\%\_off: a \& b.}' in latex
    assert latex.count(r'\\') == 2
    cells = to_markdown(table).splitlines()[-1]
    assert cells.startswith(r'| 1 | A\_\{1\}\|\\x $5 \<b\>\~^ \\input\{f\} |')


@pytest.mark.slow
def test_among_equal_models_any_finding_is_as_rare_as_alpha_says(tmp_path: Path) -> None:
    """Four models that differ by chance alone, six pairs: how often does one pair pass for different after Holm?"""
    random, trials, families = np.random.default_rng(4), 400, 0
    hits = pairs = 0
    for _ in range(trials):
        pictures = random.normal(28, 3, 30)
        rows = [row for name in 'ABCD' for row in model(name, list(pictures + random.normal(0, 0.1, 30)))]
        (result,) = results_of(tmp_path, rows)
        families += any(comparison.corrected_p_value < 0.05 for comparison in result.comparisons)
        hits += sum(comparison.interval.low > 0 or comparison.interval.high < 0 for comparison in result.comparisons)
        pairs += len(result.comparisons)
    assert families / trials <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / trials)
    # Pairs of one trial are not independent; their count of trials is what the error follows from.
    assert hits / pairs <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / trials)
