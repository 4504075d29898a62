"""Tables that identify themselves, with a bicubic row beside the model's (FAULTS cases 28, 47, 48)."""

import csv
import dataclasses
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from Configuration import BaseTestingConfiguration
from Configuration.protocols import LIIF
from Datasets.BenchmarkImages import BenchmarkImages
from Datasets.benchmarks import BENCHMARKS, hr_files, official_lr_folder
from Models import BenchmarkType, QualityType, SavedModelType, TestingStrategy
from Orchestrators.Evaluation.evaluation import build_metrics, evaluate, mean_scores, score
from Orchestrators.Prediction.strategies import bicubic
from Orchestrators.TestingOrchestrator import TestingOrchestrator
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PictureMaker
from tests.tiny import TrainTiny
from Utilities.images import read_image, to_tensor
from Utilities.resize import resize
from Utilities.version import VERSION

TESTED = {
    'recipe': 'Tiny',
    'input_patch': 8,
    'scale_range': (1, 2),
    'benchmark': BenchmarkType.BENCHMARK,
    'valid_data_path': 'pictures',
    'metrics': (QualityType.PSNR, QualityType.SSIM),
    'device': 'cpu',
}
STEM = 'model_states_EDSR_LIIF_Tiny_Patch_8_Scale_1_2_best'


@pytest.fixture
def trained(make_pictures: PictureMaker) -> None:
    make_pictures()
    TrainingOrchestrator(TrainTiny()).train()


def run_test(**settings: Any) -> list[dict[str, Any]]:
    return TestingOrchestrator(BaseTestingConfiguration(**TESTED | settings)).test()


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures('trained')
def test_each_scale_has_a_bicubic_row_and_a_row_of_the_model(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rows = run_test(eval_scale=(2, 2.5))
    assert [(row['scale'], row['method']) for row in rows] == [
        (2, 'bicubic'), (2, 'EDSR-LIIF'), (2.5, 'bicubic'), (2.5, 'EDSR-LIIF'),
    ]  # fmt: skip
    (written,) = [
        row for row in rows_of(Path(f'results/{STEM}.csv')) if row['scale'] == '2.5' and row['method'] != 'bicubic'
    ]
    expected = {
        'encoder': 'EDSR', 'decoder': 'LIIF', 'recipe': 'Tiny', 'input_patch': '8', 'scale_range': '1-2',
        'checkpoint': f'{STEM}.pth', 'samples_seen': '48', 'epoch': '4', 'benchmark': 'BENCHMARK', 'pictures': '3',
        'protocol': 'liif', 'strategy': 'Simple', 'exactness': 'exact', 'lr': 'pillow bicubic', 'color': 'Y',
        'border_px': '3', 'LPIPS': '',
    }  # fmt: skip
    assert {name: written[name] for name in expected} == expected
    assert written['code_version'].startswith(VERSION)
    assert len(written['checkpoint_sha256']) == 16
    assert float(written['PSNR']) == rows[3]['PSNR']
    table = next(message for message in caplog.messages if 'BENCHMARK: 3 pictures' in message)
    assert [line.split()[:2] for line in table.splitlines() if 'bicubic' in line] == [
        ['x2', 'bicubic'],
        ['x2.5', 'bicubic'],
    ]


@pytest.mark.usefixtures('trained')
def test_the_per_picture_table_has_the_means_of_the_table() -> None:
    rows = run_test(eval_scale=2)
    pictures = [row for row in rows_of(Path(f'results/{STEM}_images.csv')) if row['method'] == 'EDSR-LIIF']
    assert [row['picture'] for row in pictures] == ['picture_0', 'picture_1', 'picture_2']
    for kind in ('PSNR', 'SSIM'):
        assert np.mean([float(row[kind]) for row in pictures]) == pytest.approx(rows[1][kind])


@pytest.mark.usefixtures('trained')
def test_testing_twice_gives_the_same_numbers_and_appends() -> None:
    """FAULTS case 47; and P7: whatever the chunk."""
    first, second = run_test(eval_scale=2), run_test(eval_scale=2, eval_batch_size=7)
    for one, other in zip(first, second, strict=True):
        assert one['PSNR'] == pytest.approx(other['PSNR'], abs=1e-4)
    assert [row['PSNR'] for row in first] == [row['PSNR'] for row in run_test(eval_scale=2)]
    assert len(rows_of(Path(f'results/{STEM}.csv'))) == 6


@pytest.mark.usefixtures('trained')
def test_rows_of_tiles_say_whether_they_are_exact(caplog: pytest.LogCaptureFixture) -> None:
    simple = run_test(eval_scale=(2, 2.5))
    assert not [message for message in caplog.messages if 'approximate' in message]
    patched = run_test(eval_scale=(2, 2.5), test_strategy=TestingStrategy.Patched, breakdown_patch_size=8)
    assert len([message for message in caplog.messages if 'approximate' in message]) == 1
    overlapping = run_test(
        eval_scale=(2, 2.5), test_strategy=TestingStrategy.OverlappingPatched, breakdown_patch_size=8
    )
    assert len([message for message in caplog.messages if 'approximate' in message]) == 1
    for row in (1, 3):
        assert overlapping[row]['PSNR'] == pytest.approx(simple[row]['PSNR'], abs=1e-4)
        assert abs(patched[row]['PSNR'] - simple[row]['PSNR']) > 1e-3

    columns = list(simple[0])
    assert columns[columns.index('strategy') + 1] == 'exactness'
    for table, methods in ((f'{STEM}.csv', 2 * 1), (f'{STEM}_images.csv', 2 * 3)):
        found = [(row['strategy'], row['exactness']) for row in rows_of(Path('results') / table)[-4 * methods :]]
        bicubic_rows = [row for row in rows_of(Path('results') / table) if row['method'] == 'bicubic']
        assert {row['exactness'] for row in bicubic_rows} == {'exact'}
        assert set(found) == {('Patched', 'exact'), ('Patched', 'approximate'), ('OverlappingPatched', 'exact')}


@pytest.mark.usefixtures('trained')
def test_pictures_are_written_when_asked_and_are_what_was_scored() -> None:
    run_test(eval_scale=2)
    assert not list(Path('results').glob('**/*.png'))
    rows = run_test(eval_scale=2, save_pictures=True, total_example=1)
    (file,) = Path('results').glob('**/*.png')
    assert file == Path(f'results/{STEM}/BENCHMARK_x2/picture_0.png')
    sr, hr = (read_image(path).pixels.astype(float) for path in (file, Path('pictures/picture_0.png')))
    luma = [picture @ [65.481, 128.553, 24.966] / 255 + 16 for picture in (sr, hr)]
    error = (luma[0] - luma[1])[2:-2, 2:-2]
    # The file is rounded to 8 bits, the score is not.
    assert 10 * np.log10(255**2 / np.mean(error**2)) == pytest.approx(rows[1]['PSNR'], abs=0.1)


@pytest.mark.usefixtures('trained')
def test_a_users_pairs_are_tested_as_they_are(make_pictures: PictureMaker) -> None:
    make_pictures('lr2', height=20, width=24)
    rows = run_test(eval_scale=2, valid_data_pathScale='lr{scale}')
    assert {row['lr'] for row in rows} == {'files'}
    make_pictures('lr3', height=20, width=24)
    with pytest.raises(ValueError, match='HR and LR pictures at x3 do not pair'):
        run_test(eval_scale=3, valid_data_pathScale='lr{scale}')


@pytest.mark.usefixtures('trained')
def test_the_callers_configuration_stays_as_it_is() -> None:
    configuration = BaseTestingConfiguration(**TESTED)  # type: ignore[arg-type]
    before = dataclasses.asdict(configuration)
    TestingOrchestrator(configuration).test(BenchmarkType.BENCHMARK)
    assert dataclasses.asdict(configuration) == before


@pytest.mark.usefixtures('trained')
@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (
            {'recipe': 'Other'},
            'There is no checkpoint model_states_EDSR_LIIF_Other.*there are: model_states_EDSR_LIIF_Tiny',
        ),
        ({'model_name': 99}, 'There is no checkpoint .*_99.pth'),
        ({'valid_data_path': 'nowhere'}, 'nowhere should hold the HR pictures of BENCHMARK'),
        ({'benchmark': BenchmarkType.Set5, 'valid_data_path': None}, 'There is no folder datasets/Set5'),
        ({'eval_scale': 64.0}, 'too small to be reduced by 64'),
    ],
)
def test_what_can_not_be_tested_is_refused_and_nothing_is_written(settings: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, OSError), match=message):
        run_test(**settings)
    assert not Path('results').exists()


@pytest.mark.usefixtures('trained')
def test_last_and_best_are_different_files() -> None:
    assert (
        run_test(eval_scale=2, model_name=SavedModelType.Last)[0]['checkpoint'] == STEM.replace('best', 'last') + '.pth'
    )


@pytest.mark.usefixtures('trained')
def test_pictures_too_small_for_a_metric_leave_its_cell_empty(make_pictures: PictureMaker) -> None:
    make_pictures('small', height=12, width=12)
    run_test(eval_scale=2, valid_data_path='small')
    assert {row['SSIM'] for row in rows_of(Path(f'results/{STEM}.csv'))} == {''}


@pytest.mark.usefixtures('trained')
def test_rows_and_pictures_say_how_consistent_with_their_input_they_are() -> None:
    """The bicubic row by hand: its 8-bit picture, reduced by Pillow as the input was."""
    rows = run_test(eval_scale=2)
    expected = []
    for number in range(3):
        hr = read_image(Path(f'pictures/picture_{number}.png')).pixels
        lr = np.asarray(Image.fromarray(hr).resize((24, 20), Image.Resampling.BICUBIC))
        sr = resize(lr, (40, 48), 'matlab', rounds_between_passes=False)
        planes = [Image.fromarray(sr[..., channel].astype(np.float32)) for channel in range(3)]
        again = np.stack([plane.resize((24, 20), Image.Resampling.BICUBIC) for plane in planes], -1)
        expected.append(10 * np.log10(255**2 / np.mean((again - lr) ** 2)))
    pictures = rows_of(Path(f'results/{STEM}_images.csv'))
    found = [float(row['scale_consistency_db']) for row in pictures if row['method'] == 'bicubic']
    assert found == pytest.approx(expected, abs=1e-3)
    assert rows[0]['scale_consistency_db'] == pytest.approx(np.mean(expected), abs=1e-3)
    assert rows[1]['scale_consistency_db'] != rows[0]['scale_consistency_db']


@pytest.mark.usefixtures('trained')
def test_cost_is_in_the_table_when_asked() -> None:
    columns = ('cost_lr_size', 'parameters', 'multiply_adds', 'latency_median_seconds', 'peak_memory_bytes')
    without = run_test(eval_scale=2)[1]
    assert [without[name] for name in columns] == [None] * 5
    rows = run_test(eval_scale=(2, 3), measure_cost=True, cost_lr_side=10)
    assert [rows[number]['parameters'] for number in (0, 2)] == [None, None]
    small, large = rows[1], rows[3]
    assert small['cost_lr_size'] == large['cost_lr_size'] == '10x10'
    # One block of 8 features, and a hidden layer of 16.
    assert small['parameters'] == (3 * 8 * 9 + 8) + 3 * (8 * 8 * 9 + 8) + (76 * 16 + 16) + (16 * 3 + 3)
    assert large['multiply_adds'] - small['multiply_adds'] == (900 - 400) * (4 * 2 * 16 + 16 * 3)
    assert 0 < small['latency_q1_seconds'] <= small['latency_median_seconds'] <= small['latency_q3_seconds']
    written = {(row['scale'], row['method']): row['multiply_adds'] for row in rows_of(Path(f'results/{STEM}.csv'))}
    assert written == {
        ('2', 'bicubic'): '', ('2', 'EDSR-LIIF'): str(small['multiply_adds']),
        ('3', 'bicubic'): '', ('3', 'EDSR-LIIF'): str(large['multiply_adds']),
    }  # fmt: skip


def test_a_picture_that_is_not_a_number_is_no_reason_to_stop(random: torch.Generator) -> None:
    """piq refuses such a picture by an assertion."""
    metrics = build_metrics([QualityType.PSNR, QualityType.GMSD], torch.device('cpu'))
    hr = torch.rand(1, 3, 16, 16, generator=random)
    scores = score(torch.where(hr > 0.9, torch.nan, hr), hr, metrics, color='RGB', border_px=0)
    assert all(value is not None and np.isnan(value) for value in scores.values())


# Metric truth (FAULTS case 48), where the data is at hand


def bicubic_psnr(benchmark: BenchmarkType, scale: int) -> float:
    folder = official_lr_folder(benchmark, scale)
    if folder is None:
        pytest.skip(f'{benchmark.name} with LR_bicubic is not under ./datasets or $ASSR_DATASETS')
    kind = BENCHMARKS[benchmark].kind
    images = BenchmarkImages(hr_files(benchmark), scale, lr_folder=folder)
    metrics = build_metrics([QualityType.PSNR], torch.device('cpu'))
    color, border_px = LIIF.color_of(kind), LIIF.border_px(kind, scale)
    results = [evaluate(bicubic, pair, metrics, color=color, border_px=border_px) for pair in images]
    return mean_scores(results)[QualityType.PSNR] or 0


@pytest.mark.data
@pytest.mark.parametrize(('scale', 'published'), [(2, 33.678), (3, 30.404), (4, 28.431)])
def test_bicubic_on_set5_is_what_the_field_reports(scale: int, published: float) -> None:
    """On Y, shaved by the scale, from the official LR files."""
    assert bicubic_psnr(BenchmarkType.Set5, scale) == pytest.approx(published, abs=0.001)


def luma_of_the_demos(file: Path) -> np.ndarray:
    """MATLAB's `rgb2ycbcr`, rounded; a gray picture is taken as luma as it is."""
    photo = read_image(file)
    colors = photo.pixels.astype(np.float64)
    return colors[..., 0] if photo.is_gray else np.rint(colors @ np.array([65.481, 128.553, 24.966]) / 255 + 16)


def psnr_of_the_demos(benchmark: BenchmarkType, scale: int) -> float:
    """As the demos of SRCNN and VDSR: luma alone, rounded before reducing and after enlarging, not between."""
    if official_lr_folder(benchmark, scale) is None:
        pytest.skip(f'{benchmark.name} is not under ./datasets or $ASSR_DATASETS')
    scores = []
    for file in hr_files(benchmark):
        luma = luma_of_the_demos(file)
        height, width = (side // scale * scale for side in luma.shape)
        hr = luma[:height, :width]
        lr = resize(hr, (height // scale, width // scale), 'matlab')
        error = (np.rint(resize(lr, hr.shape, 'matlab')) - hr)[scale:-scale, scale:-scale]
        scores.append(10 * np.log10(255**2 / np.mean(error**2)))
    return float(np.mean(scores))


@pytest.mark.data
@pytest.mark.parametrize(('scale', 'published'), [(2, 33.661), (3, 30.392), (4, 28.421)])
def test_the_older_protocol_on_set5_can_be_had_too(scale: int, published: float) -> None:
    assert psnr_of_the_demos(BenchmarkType.Set5, scale) == pytest.approx(published, abs=0.001)


LITERATURE = [
    ('Set5', 2, 33.66), ('Set5', 3, 30.39), ('Set5', 4, 28.42), ('Set14', 2, 30.24), ('Set14', 3, 27.55),
    ('Set14', 4, 26.00), ('B100', 2, 29.56), ('B100', 3, 27.21), ('B100', 4, 25.96),
]  # fmt: skip
"""The bicubic rows of papers since SRCNN."""


@pytest.mark.data
@pytest.mark.parametrize(('benchmark', 'scale', 'published'), LITERATURE)
def test_bicubic_is_what_the_literature_has_by_its_protocol(benchmark: str, scale: int, published: float) -> None:
    assert psnr_of_the_demos(BenchmarkType[benchmark], scale) == pytest.approx(published, abs=0.01)


TID2013 = {'I03': 21.1136, 'I04': 20.9872, 'I06': 27.0139, 'I08': 23.3003, 'I19': 21.6187}


@pytest.mark.data
def test_psnr_of_the_tid2013_pairs_is_what_others_measure() -> None:
    folder = Path(os.environ.get('ASSR_DATASETS', 'datasets')) / 'metric_pairs/tid2013_5pairs'
    if not folder.is_dir():
        pytest.skip('metric_pairs/tid2013_5pairs is not under ./datasets or $ASSR_DATASETS')
    metric = build_metrics([QualityType.PSNR], torch.device('cpu'))[QualityType.PSNR]
    assert metric is not None
    for name, published in TID2013.items():
        pair = [read_image(next((folder / part).glob(f'{name}*'))).pixels for part in ('dist_dir', 'ref_dir')]
        assert metric(*(to_tensor(pixels)[None] for pixels in pair)).item() == pytest.approx(published, abs=1e-3)


@pytest.mark.data
@pytest.mark.parametrize(('scale', 'published'), [(2, 30.327), (3, 27.632), (4, 26.090)])
def test_bicubic_on_set14_is_what_the_field_reports(scale: int, published: float) -> None:
    """Its gray picture, read as RGB and brought to 16-235, lifts the mean by 0.09 dB over the literature's."""
    assert bicubic_psnr(BenchmarkType.Set14, scale) == pytest.approx(published, abs=0.001)


@pytest.mark.data
@pytest.mark.parametrize(('scale', 'published'), [(2, 29.562), (3, 27.210), (4, 25.962)])
def test_bicubic_on_b100_is_what_the_field_reports(scale: int, published: float) -> None:
    assert bicubic_psnr(BenchmarkType.B100, scale) == pytest.approx(published, abs=0.001)
