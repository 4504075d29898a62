"""Testing: a trained network and bicubic interpolation, side by side on benchmarks."""

import dataclasses
import datetime
import logging
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from Configuration.BaseTestingConfiguration import BaseTestingConfiguration
from Datasets.BenchmarkImages import BenchmarkImages
from Datasets.benchmarks import BENCHMARKS, PROTOCOL, Benchmark, hr_files
from Models.BenchmarkType import BenchmarkType
from Models.QualityType import QualityType
from Orchestrators.evaluation import Evaluated, Judges, Scores, build_judges, evaluate, mean_scores
from Orchestrators.file_names import checkpoint_path
from Orchestrators.strategies import Predictor, bicubic, predictor_of
from Orchestrators.trained_model import TrainedModel, load_trained_model
from Utilities.Checkpoint import CheckpointError
from Utilities.devices import choose_device
from Utilities.images import to_pixels, write_png
from Utilities.reports import append_csv, format_number, format_table
from Utilities.version import code_version

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Task:
    """One benchmark at one scale."""

    benchmark: BenchmarkType
    scale: float
    row: Benchmark
    images: BenchmarkImages


class TestingOrchestrator:
    """Scores a checkpoint on benchmarks at their scales, with a bicubic row beside each of its rows.

    Args:
        configuration: which checkpoint, on what, how.
    """

    def __init__(self, configuration: BaseTestingConfiguration) -> None:
        self.configuration = configuration

    def test(self, *benchmarks: BenchmarkType) -> list[dict[str, object]]:
        """Test, print a table, and append to `<result_path>/<checkpoint>.csv` and `<checkpoint>_images.csv`.

        Args:
            benchmarks: what to test on; none: the configuration's `benchmark`.

        Returns:
            The rows of the CSV file, one per benchmark, scale and method.

        Raises:
            ValueError, OSError: if the checkpoint or a benchmark's pictures are missing or unusable; then no table is
                written.
        """
        configuration = self.configuration
        device = choose_device(configuration.device)
        path = checkpoint_path(configuration, configuration.model_name, configuration.model_path)
        model = load_trained_model(path, device)
        _refuse_other_network(configuration, model, path)
        tasks = [task for benchmark in benchmarks or (configuration.benchmark,) for task in self._tasks(benchmark)]
        judges = build_judges(configuration.judges, device)
        predict = predictor_of(
            model.network,
            configuration.test_strategy,
            device,
            configuration.eval_batch_size,
            configuration.breakdown_patch_size,
            configuration.overlap,
            max_memory=configuration.max_memory,
        )
        _LOGGER.info('Testing %s (epoch %d) on %s, version %s', path, model.epoch, device, code_version())

        rows: list[dict[str, object]] = []
        image_rows: list[dict[str, object]] = []
        identity = self._identity(model, path, device)
        for benchmark in dict.fromkeys(task.benchmark for task in tasks):
            lines = []
            for task in (task for task in tasks if task.benchmark is benchmark):
                for method, predictor in (('bicubic', bicubic), (model.name, predict)):
                    results = self._evaluate(task, method, predictor, judges, path)
                    head = identity | _task_columns(task, method)
                    rows.append(head | _row_columns(results))
                    image_rows += [head | _image_columns(result) for result in results]
                    lines.append(_table_line(task, method, results, judges, is_first=predictor is bicubic))
            _LOGGER.info('\n%s\n%s', _title(benchmark, tasks), format_table(_table_header(judges), lines))
        _LOGGER.info("\nbicubic: MATLAB's imresize, rounded to 8 bits. %s: a judge that could not be had.", '–')
        self._write(path, rows, image_rows)
        return rows

    def _tasks(self, benchmark: BenchmarkType) -> list[_Task]:
        configuration, row = self.configuration, BENCHMARKS[benchmark]
        if benchmark is BenchmarkType.BENCHMARK and configuration.valid_data_path is None:
            raise ValueError('valid_data_path must name a folder of HR pictures for BenchmarkType.BENCHMARK, got None.')
        # The paths belong to the user's own folder; a named benchmark in the same call keeps its own files.
        own = benchmark in (BenchmarkType.BENCHMARK, configuration.benchmark)
        files = hr_files(benchmark, configuration.valid_data_path if own else None)[: configuration.total_example]
        tasks = []
        for scale in _scales(configuration.eval_scale, row.scales):
            lr_folder = None
            if own and configuration.valid_data_pathScale is not None:
                lr_folder = Path(configuration.valid_data_pathScale.replace('{scale}', f'{scale:g}'))
            images = BenchmarkImages.of_protocol(benchmark, files, scale, lr_folder)
            tasks.append(_Task(benchmark, scale, row, images))
        return tasks

    def _evaluate(self, task: _Task, method: str, predictor: Predictor, judges: Judges, path: Path) -> list[Evaluated]:
        results = []
        border_px = task.row.border_px(task.scale)
        evaluated = evaluate(predictor, task.images, judges, color=task.row.color, border_px=border_px)
        name = f'{task.benchmark.name} x{task.scale:g} {method}'
        for result in tqdm(evaluated, name, len(task.images), unit='picture', leave=False, disable=None):
            if self.configuration.save_pictures and method != 'bicubic':
                write_png(self._picture_folder(path, task) / f'{result.name}.png', to_pixels(result.sr[0]))
            # The scores stay, the pictures go: a benchmark of 2K pictures would not fit into memory.
            nothing = result.sr.new_empty(1, 3, 0, 0)
            results.append(dataclasses.replace(result, lr=nothing, sr=nothing, hr=nothing))
        return results

    def _picture_folder(self, path: Path, task: _Task) -> Path:
        return Path(self.configuration.result_path) / path.stem / f'{task.benchmark.name}_x{task.scale:g}'

    def _identity(self, model: TrainedModel, path: Path, device: torch.device) -> dict[str, object]:
        configuration = self.configuration
        return {
            'time': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
            'encoder': configuration.encoder.name,
            'decoder': configuration.decoder.name,
            'recipe': configuration.recipe_name,
            'input_patch': configuration.input_patch,
            'scale_range': '-'.join(f'{scale:g}' for scale in configuration.scale_range),
            'checkpoint': path.name,
            'checkpoint_sha256': model.sha256[:16],
            'epoch': model.epoch,
            'samples_seen': model.samples_seen,
            'seed': model.configuration.get('seed'),
            'strategy': configuration.test_strategy.name,
            'exactness': None,  # told by the results; here for its place in the table
            'protocol': PROTOCOL,
            'device': str(device),
            'code_version': code_version(),
            'torch_version': str(torch.__version__),
        }

    def _write(self, path: Path, rows: Sequence[dict[str, object]], image_rows: Sequence[dict[str, object]]) -> None:
        folder = Path(self.configuration.result_path)
        append_csv(folder / f'{path.stem}.csv', rows)
        append_csv(folder / f'{path.stem}_images.csv', image_rows)
        _LOGGER.info('Table:       %s', folder / f'{path.stem}.csv')
        _LOGGER.info('Per picture: %s', folder / f'{path.stem}_images.csv')
        if self.configuration.save_pictures:
            _LOGGER.info('Pictures:    %s', folder / path.stem)
        _LOGGER.info('Checkpoint:  %s', path)


def _refuse_other_network(configuration: BaseTestingConfiguration, model: TrainedModel, path: Path) -> None:
    for setting in ('encoder', 'decoder'):
        asked, found = getattr(configuration, setting).name, model.configuration.get(setting)
        if asked != found:
            raise CheckpointError(f'{path} holds the {setting} {found}, but {setting} = {asked} is asked for.')


def _scales(setting: float | tuple[float, ...] | None, published: tuple[float, ...]) -> tuple[float, ...]:
    if setting is None:
        return published
    return setting if isinstance(setting, tuple) else (setting,)


def _task_columns(task: _Task, method: str) -> dict[str, object]:
    return {
        'method': method,
        'benchmark': task.benchmark.name,
        'scale': task.scale,
        'lr': task.images.lr_source,
        'color': task.row.color,
        'border_px': task.row.border_px(task.scale),
    }


def _score_columns(scores: Scores) -> dict[str, object]:
    return {kind.name: scores.get(kind) for kind in QualityType}


def _row_columns(results: Sequence[Evaluated]) -> dict[str, object]:
    seconds = sum(result.seconds for result in results) / len(results)
    is_exact = all(result.exactness == 'exact' for result in results)
    return {'exactness': 'exact' if is_exact else 'approximate'} | (
        {'pictures': len(results)} | _score_columns(mean_scores(results)) | {'seconds_per_picture': round(seconds, 4)}
    )


def _image_columns(result: Evaluated) -> dict[str, object]:
    return (
        {'exactness': result.exactness, 'picture': result.name}
        | _score_columns(result.scores)
        | {'seconds': round(result.seconds, 4)}
    )


def _title(benchmark: BenchmarkType, tasks: Sequence[_Task]) -> str:
    task = next(task for task in tasks if task.benchmark is benchmark)
    border = 'scale' if not task.row.extra_border_px else f'scale + {task.row.extra_border_px}'
    return f'{benchmark.name}: {len(task.images)} pictures, {task.row.color}, border {border}, protocol {PROTOCOL}'


def _table_header(judges: Judges) -> list[str]:
    units = {kind: f' ({judge.unit})' if judge is not None and judge.unit else '' for kind, judge in judges.items()}
    return ['scale', 'method', *(f'{kind.name}{units[kind]}' for kind in judges), 's/picture']


def _table_line(task: _Task, method: str, results: Sequence[Evaluated], judges: Judges, *, is_first: bool) -> list[str]:
    scores = mean_scores(results)
    cells = [
        format_number(scores[kind], judge.decimals) if judge is not None else format_number(None, 0)
        for kind, judge in judges.items()
    ]
    seconds = math.fsum(result.seconds for result in results) / len(results)
    return [f'x{task.scale:g}' if is_first else '', method, *cells, f'{seconds:.2f}']
