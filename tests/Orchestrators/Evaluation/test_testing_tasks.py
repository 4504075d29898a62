"""Protocols in tables, scales per axis and fixed sizes; approximation measured; infinite scores (FAULTS case 22)."""

import csv
import dataclasses
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from Configuration import BaseTestingConfiguration, protocols
from Configuration.protocols import LIIF, PUBLISHED, Protocol
from Models import BenchmarkType, DecoderType, EncoderType, QualityType, TestingStrategy
from Orchestrators.Evaluation.evaluation import Evaluated, mean_scores, not_finite
from Orchestrators.Evaluation.testing_tasks import Method, limit_cell, scales_of
from Orchestrators.Prediction.prediction import Prediction
from Orchestrators.Prediction.trained_model import load_trained_model
from Orchestrators.TestingOrchestrator import TestingOrchestrator
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PictureMaker, smooth_picture
from tests.tiny import TrainTiny
from tests.tiny_networks import tiny
from Utilities.images import read_image, to_tensor

STEM = 'model_states_EDSR_LIIF_Tiny_Patch_8_Scale_1_2_best'
CPU = torch.device('cpu')
PATCHED = {'test_strategy': TestingStrategy.Patched, 'breakdown_patch_size': 8}


@pytest.fixture
def trained(make_pictures: PictureMaker) -> None:
    make_pictures()
    TrainingOrchestrator(TrainTiny(epochs=1)).train()


def run_test(**settings: Any) -> list[dict[str, Any]]:
    defaults: dict[str, Any] = {
        'recipe': 'Tiny',
        'input_patch': 8,
        'scale_range': (1, 2),
        'benchmark': BenchmarkType.BENCHMARK,
        'valid_data_path': 'pictures',
        'metrics': (QualityType.PSNR, QualityType.SSIM),
        'device': 'cpu',
        'eval_scale': 2,
    }
    return TestingOrchestrator(BaseTestingConfiguration(**defaults | settings)).test()


def written(table: str = '') -> list[dict[str, str]]:
    with Path(f'results/{STEM}{table}.csv').open(newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


# Protocols


@pytest.mark.usefixtures('trained')
def test_each_row_of_both_tables_says_by_which_protocol() -> None:
    run_test(protocol=protocols.THERA)
    for table in ('', '_images'):
        rows = written(table)
        assert {(row['protocol'], row['protocol_fields']) for row in rows} == {('thera', PUBLISHED['thera'].describe())}
        assert {(row['method'], row['self_ensemble']) for row in rows} == {('bicubic', '1'), ('EDSR-LIIF', '4')}
        assert {(row['lr'], row['color'], row['border_px']) for row in rows} == {('matlab bicubic', 'Y', '2')}
    run_test(protocol=protocols.THERA, self_ensemble=1)
    assert written()[-1]['self_ensemble'] == '1'
    assert written()[-1]['PSNR'] != written()[1]['PSNR']


@pytest.mark.usefixtures('trained')
@pytest.mark.parametrize('rounds', [True, False])
def test_a_protocol_says_what_is_compared(rounds: bool) -> None:
    """The score is that of the written file, to the last digit, only if it is rounded before; 48x40 cut to 44x33."""
    mine = Protocol(name='mine', hr_multiple=11, color='RGB', extra_border_px=1, rounds_to_8_bits=rounds)
    rows = run_test(protocol=mine, save_pictures=True, total_example=1)
    sr = read_image(f'results/{STEM}/BENCHMARK_x2_mine/picture_0.png').pixels
    hr = smooth_picture(40, 48, 0)[:32, :44]  # 33 is odd
    assert sr.shape == hr.shape
    error = (sr.astype(np.float64) - hr)[3:-3, 3:-3]
    by_hand = 10 * math.log10(255**2 / np.mean(error**2))
    assert (abs(by_hand - rows[1]['PSNR']) < 1e-5) == rounds


@pytest.mark.usefixtures('trained')
def test_a_table_holds_one_protocol_of_a_name() -> None:
    run_test(protocol=Protocol(name='mine'))
    before = written()
    with pytest.raises(ValueError, match=r"has rows of another protocol 'mine': .* Give it a name of its own"):
        run_test(protocol=Protocol(name='mine', color='RGB'))
    assert written() == before
    run_test(protocol=dataclasses.replace(LIIF, name='other', color='RGB'))
    run_test(protocol=Protocol(name='mine'))
    assert [row['protocol'] for row in written()] == [name for name in ('mine', 'other', 'mine') for _ in range(2)]


def test_the_cell_is_limited_as_the_protocol_says() -> None:
    """LTE's own limit is 4, LIIF has none; Native has no cell, and is left alone."""
    limits = {}
    for decoder in (DecoderType.LTE, DecoderType.LIIF, DecoderType.Native):
        for protocol in (protocols.LIIF, protocols.LTE, protocols.CIAOSR):
            network = tiny(EncoderType.EDSR, decoder)
            limit_cell(network, decoder, protocol)
            limits[decoder.name, protocol.name] = network.decoder.cell_scale_max
    assert limits == {
        ('LTE', 'liif'): 4, ('LTE', 'lte'): 4, ('LTE', 'ciaosr'): None,
        ('LIIF', 'liif'): None, ('LIIF', 'lte'): 4, ('LIIF', 'ciaosr'): None,
        ('Native', 'liif'): None, ('Native', 'lte'): None, ('Native', 'ciaosr'): None,
    }  # fmt: skip


@pytest.mark.usefixtures('trained')
def test_the_limit_reaches_the_network() -> None:
    """At x6 the protocols differ in nothing else; at x2 in nothing."""
    free, limited = run_test(eval_scale=(2, 6)), run_test(eval_scale=(2, 6), protocol=protocols.LTE)
    assert [one['PSNR'] == other['PSNR'] for one, other in zip(free, limited, strict=True)] == [True, True, True, False]


# Scales


def test_a_setting_means_scales_in_the_order_of_shapes() -> None:
    """(2, 3.5) are two scales, ((2, 3.5),) is one, 2 horizontally."""
    assert scales_of((2, 3.5), (4,)) == (2, 3.5)
    assert scales_of(((2, 3.5), 4, (3, 3)), (4,)) == ((3.5, 2), 4, 3)
    assert (scales_of(2.7, (4,)), scales_of(None, (2, 4))) == ((2.7,), (2, 4))


@pytest.mark.usefixtures('trained')
@pytest.mark.parametrize('views', [1, 8])
@pytest.mark.parametrize('strategy', TestingStrategy)
def test_scales_per_axis_work_in_every_strategy(strategy: TestingStrategy, views: Any) -> None:
    """48 / 2 = 24 and 40 / 3.5 = 11.43: LR is 24x11, the result 48x38 (38.5, rounded to even)."""
    tiles = {} if strategy is TestingStrategy.Simple else {'breakdown_patch_size': 8}
    scales = ((2, 3.5), 2.7)
    rows = run_test(
        eval_scale=scales, save_pictures=True, test_strategy=strategy, self_ensemble=views, total_example=1, **tiles
    )
    assert [row['scale'] for row in rows] == ['2x3.5', '2x3.5', 2.7, 2.7]
    assert [row['border_px'] for row in rows] == [4, 4, 3, 3]
    assert all(math.isfinite(row['PSNR']) for row in rows)
    assert read_image(f'results/{STEM}/BENCHMARK_x2x3.5/picture_0.png').pixels.shape == (38, 48, 3)
    assert read_image(f'results/{STEM}/BENCHMARK_x2.7/picture_0.png').pixels.shape == (38, 46, 3)


@pytest.mark.usefixtures('trained')
@pytest.mark.parametrize('strategy', TestingStrategy)
def test_fixed_sizes_work_in_every_strategy(strategy: TestingStrategy) -> None:
    tiles = {} if strategy is TestingStrategy.Simple else {'breakdown_patch_size': 8}
    rows = run_test(
        eval_size=(45, 31), eval_scale=(2, (2, 3)), save_pictures=True, test_strategy=strategy, total_example=1, **tiles
    )
    assert [(row['scale'], row['eval_size']) for row in rows] == [(2, '45x31')] * 2 + [('2x3', '45x31')] * 2
    for folder in ('BENCHMARK_x2_to_45x31', 'BENCHMARK_x2x3_to_45x31'):
        assert read_image(f'results/{STEM}/{folder}/picture_0.png').pixels.shape == (31, 45, 3)


@pytest.mark.usefixtures('trained')
def test_a_fixed_size_of_pairs_takes_the_scale_from_them(
    make_pictures: PictureMaker, caplog: pytest.LogCaptureFixture
) -> None:
    """From 24x16 to 48x40."""
    caplog.set_level(logging.INFO)
    make_pictures('lr', height=16, width=24)
    rows = run_test(eval_size=(48, 40), eval_scale=None, valid_data_pathScale='lr')
    assert [(row['scale'], row['lr'], row['border_px']) for row in rows] == [('2x2.5', 'files', 3)] * 2
    assert any(line.split()[:2] == ['x2x2.5', 'bicubic'] for text in caplog.messages for line in text.splitlines())
    with pytest.raises(ValueError, match='another size than the one asked for, 50x40'):
        run_test(eval_size=(50, 40), eval_scale=None, valid_data_pathScale='lr')


# Exactness


@pytest.mark.usefixtures('trained')
def test_approximate_pictures_are_measured_against_the_whole(caplog: pytest.LogCaptureFixture) -> None:
    """The first of each benchmark and scale, by what the network makes of it whole and of each of its tiles."""
    caplog.set_level(logging.INFO)
    rows = run_test(**PATCHED)
    network = load_trained_model(Path(f'{STEM}.pth'), CPU).network
    lr = np.asarray(Image.fromarray(smooth_picture(40, 48, 0)).resize((24, 20), Image.Resampling.BICUBIC))
    whole = network.upscale(to_tensor(lr.copy())[None], (40, 48))
    tiled = torch.zeros_like(whole)
    for top in range(0, 20, 8):
        for left in range(0, 24, 8):
            tile = to_tensor(lr[top : top + 8, left : left + 8].copy())[None]
            part = network.upscale(tile, (2 * tile.shape[2], 2 * tile.shape[3]))
            tiled[:, :, 2 * top : 2 * top + part.shape[2], 2 * left : 2 * left + part.shape[3]] = part
    by_hand = (tiled - whole).abs().max().item()
    assert by_hand > 1e-3
    assert [row['difference_from_whole'] for row in rows] == [None, pytest.approx(by_hand, abs=1e-6)]
    in_pictures = [row['difference_from_whole'] for row in written('_images')]
    assert in_pictures[:3] == ['', '', '']
    assert float(in_pictures[3]) == pytest.approx(by_hand, abs=1e-6)
    assert in_pictures[4:] == ['', '']
    (line,) = [text for text in caplog.messages if 'differs from the whole' in text]
    assert f'picture_0, 48x40 pixels: approximate, differs from the whole by up to {by_hand:.2g} (of 1)' in line


@pytest.mark.usefixtures('trained')
def test_exact_pictures_and_large_ones_are_not_measured() -> None:
    rows = run_test(test_strategy=TestingStrategy.OverlappingPatched, breakdown_patch_size=8)
    assert [row['difference_from_whole'] for row in rows] == [None, None]
    black, white = (lambda lr, size, color=color: Prediction(torch.full((1, 3, *size), color)) for color in (0.0, 1.0))
    method = Method('x', black, whole=white)
    for side, expected in ((512, 1.0), (513, None)):
        sr = torch.zeros(1, 3, 8, side)
        result = Evaluated('a', sr, sr, sr, {}, 0.0, 'approximate')
        assert method.difference_from_whole(result) == expected


# Scores that are no finite numbers


def results_of(*values: float | None) -> list[Evaluated]:
    nothing = torch.zeros(1, 3, 0, 0)
    return [Evaluated('a', nothing, nothing, nothing, {QualityType.PSNR: v}, 0.0, 'exact') for v in values]


@pytest.mark.parametrize(
    ('values', 'mean', 'told'),
    [
        ((30.0, 20.0), 25, ''),
        ((30.0, math.inf, 20.0, math.inf), 25, 'PSNR: 2 inf'),
        ((math.inf, math.inf), math.inf, 'PSNR: 2 inf'),
        ((30.0, math.nan), math.nan, 'PSNR: 1 nan'),
        ((30.0, math.inf, math.nan), math.nan, 'PSNR: 1 inf, PSNR: 1 nan'),
        ((30.0, None, math.inf), None, 'PSNR: 1 inf'),
    ],
)
def test_means_leave_out_infinity_and_count_what_is_not_finite(
    values: tuple[float | None, ...], mean: float | None, told: str
) -> None:
    results = results_of(*values)
    assert mean_scores(results)[QualityType.PSNR] == pytest.approx(mean, nan_ok=True)
    assert not_finite(results) == told


@pytest.mark.usefixtures('trained')
def test_an_equal_picture_is_infinite_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """A picture of one gray is the same after bicubic reduction and enlargement."""
    Image.new('RGB', (48, 40), (99, 99, 99)).save('pictures/picture_1.png')
    rows = run_test()
    each = [row['PSNR'] for row in written('_images')]
    assert each[1] == 'inf'
    assert 'inf' not in (each[0], each[2])
    assert rows[0]['PSNR'] == pytest.approx((float(each[0]) + float(each[2])) / 2)
    assert [row['not_finite'] for row in rows] == ['PSNR: 1 inf', '']
    assert [text for text in caplog.messages if 'PSNR: 1 inf. The mean leaves infinite scores out' in text]


@pytest.mark.usefixtures('trained')
def test_a_broken_network_has_no_number_as_its_mean(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        return lambda lr, size: Prediction(torch.full((1, 3, *size), math.nan))

    monkeypatch.setattr('Orchestrators.TestingOrchestrator.predictor_of', broken)
    rows = run_test()
    assert math.isnan(rows[1]['PSNR'])
    assert rows[1]['not_finite'] == 'PSNR: 3 nan, SSIM: 3 nan'
    assert any('3 nan' in text for text in caplog.messages)
    assert written()[1]['PSNR'] == 'nan'


def test_validation_tells_of_scores_that_are_no_numbers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, make_pictures: PictureMaker
) -> None:
    """They make no network the best."""
    make_pictures()
    broken = lambda lr, size: Prediction(torch.full((1, 3, *size), math.nan))  # noqa: E731
    monkeypatch.setattr('Orchestrators.Training.Validation.predictor_of', lambda *_, **__: broken)
    TrainingOrchestrator(TrainTiny(epochs=1)).train()
    assert any('Validation at x2: PSNR: 1 nan' in text for text in caplog.messages)
    assert not Path(f'{STEM}.pth').exists()
