"""Intervals, tests and corrections against hand-worked cases, enumeration, scipy and their own promises."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from Orchestrators.Comparison.statistics import Interval, bootstrap_intervals, expanded_tail, holm, wilcoxon_p_value


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)[:, None]


def test_interval_of_two_values_reaches_from_one_to_the_other() -> None:
    """With one degree of freedom t moves the percentiles to the ends; a quarter of the resamples lies at each."""
    assert bootstrap_intervals(column(1.0, 3.0)) == [Interval(1.0, 3.0)]


def test_one_value_has_no_interval() -> None:
    (interval,) = bootstrap_intervals(column(1.0))
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_interval_of_equal_values_is_the_value() -> None:
    (interval,) = bootstrap_intervals(np.full((7, 1), 0.1))
    assert interval.low == interval.high == pytest.approx(0.1, abs=1e-15)


def test_interval_is_scipys_percentile_interval_at_the_expanded_level() -> None:
    values = np.random.default_rng(3).gamma(2.0, 1.0, 30)
    # Hesterberg's tail, spelled out: normal distribution at -sqrt(n / (n - 1)) times the quantile of t.
    tail = scipy.stats.norm.cdf(-math.sqrt(30 / 29) * scipy.stats.t.ppf(0.975, 29))
    expected = scipy.stats.bootstrap(
        (values,), np.mean, confidence_level=1 - 2 * tail, method='percentile', n_resamples=40_000, rng=1
    ).confidence_interval
    (interval,) = bootstrap_intervals(values[:, None], resamples=40_000)
    spread = values.std() / math.sqrt(30)
    assert interval.low == pytest.approx(expected.low, abs=0.06 * spread)
    assert interval.high == pytest.approx(expected.high, abs=0.06 * spread)


def test_percentiles_are_moved_outwards_as_printed_tables_say() -> None:
    """Five pictures: t(0.975, 4) = 2.776, times sqrt(5 / 4) = 3.104, beyond which the normal has 0.000955."""
    assert expanded_tail(0.025, 5) == pytest.approx(0.000955, abs=2e-6)


def test_every_column_sees_the_same_resamples_and_the_seed_names_them() -> None:
    values = np.random.default_rng(0).normal(size=12)
    one, other = bootstrap_intervals(np.stack([values, 2 * values + 3], axis=1), resamples=500)
    assert other.low == pytest.approx(2 * one.low + 3)
    assert other.high == pytest.approx(2 * one.high + 3)
    alone = bootstrap_intervals(values[:, None], resamples=500)
    assert alone == bootstrap_intervals(values[:, None], resamples=500)
    assert alone[0].low == pytest.approx(one.low)
    assert bootstrap_intervals(values[:, None], resamples=500, seed=1)[0].low != pytest.approx(one.low)


@pytest.mark.parametrize('values', [np.zeros((0, 1)), np.zeros(3), column(1.0, math.inf), column(1.0, math.nan)])
def test_what_has_no_interval_is_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match='Intervals need'):
        bootstrap_intervals(values)


@pytest.mark.parametrize(
    ('differences', 'expected'),
    [
        ((1, 2, 3, 4, 5), 2 / 32),  # All signs alike: 2 of 2^5 ways.
        ((1, 2, 3, 4, 5, 6), 2 / 64),
        ((1, 2, 3, -4), 14 / 16),  # W- = 4; {}, 1, 2, 3, 4, 1+2, 1+3: 7 of 16 sums are as small.
        ((0, 0, 0), 1.0),
        ((0.3, 0.3, 0.3, 0.3 + 1e-13), 2 / 16),  # Ties up to rounding.
    ],
)
def test_wilcoxon_by_hand(differences: tuple[float, ...], expected: float) -> None:
    assert wilcoxon_p_value(np.array(differences, dtype=np.float64)) == pytest.approx(expected)


def test_wilcoxon_ranks_zeros_and_ties_as_enumeration_does() -> None:
    """All ways to sign Pratt's ranks, counted; also a case in which dropping zeros first gives another answer."""
    random = np.random.default_rng(5)
    differs = False
    for _ in range(20):
        differences = random.integers(-3, 4, size=9).astype(np.float64)
        if not differences.any():
            continue
        ranks = scipy.stats.rankdata(np.abs(differences))[differences != 0]
        observed = ranks[differences[differences != 0] > 0].sum()
        sums = [sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign)
                for signs in itertools.product((0, 1), repeat=len(ranks))]  # fmt: skip
        below = np.mean([value <= observed + 1e-9 for value in sums])
        above = np.mean([value >= observed - 1e-9 for value in sums])
        assert wilcoxon_p_value(differences) == pytest.approx(min(1, 2 * min(below, above)))
        dropped = scipy.stats.wilcoxon(differences[differences != 0]).pvalue
        differs = differs or abs(dropped - min(1, 2 * min(below, above))) > 0.01
    assert differs


def test_wilcoxon_of_many_pictures_is_scipys() -> None:
    differences = np.random.default_rng(2).normal(0.1, 1, 100)
    assert wilcoxon_p_value(differences) == pytest.approx(scipy.stats.wilcoxon(differences).pvalue)


def test_wilcoxon_refuses_what_is_not_finite() -> None:
    for values in ([], [1.0, math.inf]):
        with pytest.raises(ValueError, match='finite'):
            wilcoxon_p_value(np.array(values))


def test_holm_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04; the last may not fall below 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def synthetic(random: np.random.Generator, shape: str, pictures: int) -> tuple[np.ndarray, float]:
    """Differences of two models on pictures, and their true mean."""
    match shape:
        case 'normal':
            return random.normal(0.02, 0.1, pictures), 0.02
        case 'heavy':
            return 0.1 * random.standard_t(5, pictures), 0.0
        case _:
            return random.exponential(0.1, pictures), 0.1


def coverage(shape: str, pictures: int, trials: int) -> float:
    random = np.random.default_rng(7)
    hits = 0
    for _ in range(trials):
        differences, truth = synthetic(random, shape, pictures)
        (interval,) = bootstrap_intervals(differences[:, None], resamples=2000, seed=int(random.integers(1 << 30)))
        hits += interval.low <= truth <= interval.high
    return hits / trials


@pytest.mark.slow
@pytest.mark.parametrize(
    ('shape', 'pictures'), [('normal', 14), ('normal', 100), ('heavy', 14), ('heavy', 100), ('skewed', 100)]
)
def test_intervals_cover_as_often_as_they_say(shape: str, pictures: int) -> None:
    assert 0.93 <= coverage(shape, pictures, 2000) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize(('shape', 'lowest'), [('normal', 0.90), ('heavy', 0.90), ('skewed', 0.85)])
def test_intervals_of_five_pictures_are_narrow_as_the_notes_say(shape: str, lowest: float) -> None:
    """Plain percentiles cover 84 % of normal and 80 % of skewed differences here; BCa 83 and 81 %."""
    assert lowest <= coverage(shape, 5, 2000) <= 0.95


@pytest.mark.slow
@pytest.mark.parametrize('pictures', [6, 14, 100])
@pytest.mark.parametrize('alpha', [0.05, 0.01])
def test_wilcoxon_finds_no_more_than_alpha_where_there_is_nothing(pictures: int, alpha: float) -> None:
    random, trials = np.random.default_rng(11), 4000
    found = sum(wilcoxon_p_value(random.laplace(0, 0.1, pictures)) < alpha for _ in range(trials))
    assert found / trials <= alpha + 2 * math.sqrt(alpha * (1 - alpha) / trials)
