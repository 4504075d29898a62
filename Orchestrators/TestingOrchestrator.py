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
from Models.BenchmarkType import BenchmarkType
from Models.QualityType import QualityType
from Models.TestingStrategy import TestingStrategy
from Orchestrators.Evaluation.cost import Cost, cost_columns, measure_cost
from Orchestrators.Evaluation.evaluation import (
    Evaluated,
    Metrics,
    Scores,
    build_metrics,
    evaluate,
    mean_of,
    mean_scores,
    not_finite,
    without_pictures,
)
from Orchestrators.Evaluation.scale_consistency import scale_consistency
from Orchestrators.Evaluation.testing_tasks import (
    Method,
    Task,
    benchmarks_of,
    limit_cell,
    refuse_other_protocol,
    tasks_of,
)
from Orchestrators.Prediction.file_names import checkpoint_path
from Orchestrators.Prediction.self_ensemble import self_ensembled
from Orchestrators.Prediction.strategies import bicubic, predictor_of
from Orchestrators.Prediction.trained_model import TrainedModel, load_trained_model
from Utilities.Checkpoint import CheckpointError
from Utilities.devices import allow_tf32, choose_device
from Utilities.distributed import Ranks
from Utilities.images import Pixels, to_pixels, write_png
from Utilities.reports import append_csv, format_number, format_table
from Utilities.scales import AnyScale, scale_text
from Utilities.version import code_version

_LOGGER = logging.getLogger(__name__)


class TestingOrchestrator:
    """Scores a checkpoint on benchmarks at their scales, with a bicubic row beside each of its rows.

    Started by torchrun, its processes share the pictures, and the first one writes.

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
            ValueError, OSError: if the checkpoint or a benchmark's pictures are missing or unusable, or folders are
                given for `BenchmarkType.BENCHMARK` and it is not tested; then no table is written.
        """
        chosen = benchmarks_of(self.configuration, benchmarks)
        ranks = Ranks.from_environment()
        device = choose_device(self.configuration.device, ranks)
        with ranks.joined(device):
            return self._test(chosen, device, ranks)

    def _test(self, benchmarks: Sequence[BenchmarkType], device: torch.device, ranks: Ranks) -> list[dict[str, object]]:
        configuration = self.configuration
        # As in validation: a table should not depend on what a GPU rounds.
        allow_tf32(False)
        path = checkpoint_path(configuration, configuration.model_name, configuration.model_path)
        model = load_trained_model(path, device)
        _refuse_other_network(configuration, model, path)
        refuse_other_protocol(self._table(path), configuration.protocol)
        tasks = [task for benchmark in benchmarks for task in tasks_of(configuration, benchmark)]
        metrics = build_metrics(configuration.metrics, device)
        limit_cell(model.network, configuration.decoder, configuration.protocol)
        methods = (Method('bicubic', bicubic), self._method(model, device))
        _LOGGER.info('Testing %s (epoch %d) on %s, version %s', path, model.epoch, device, code_version())

        costs = self._costs(model, {task.scale for task in tasks}, device) if ranks.is_first else {}
        rows: list[dict[str, object]] = []
        image_rows: list[dict[str, object]] = []
        identity = self._identity(model, path, device)
        for benchmark in dict.fromkeys(task.benchmark for task in tasks):
            lines = []
            for task in (task for task in tasks if task.benchmark is benchmark):
                for method in methods:
                    results = self._evaluate(task, method, metrics, path, ranks)
                    head = identity | _task_columns(task, method)
                    cost = None if method is methods[0] else costs.get(task.scale)
                    rows.append(head | _row_columns(results) | cost_columns(cost))
                    image_rows += [head | _image_columns(result) for result in results]
                    is_first = method is methods[0]
                    lines.append(_table_line(task, method.name, results, metrics, is_first=is_first))
            _LOGGER.info('\n%s\n%s', _title(benchmark, tasks), format_table(_table_header(metrics), lines))
        _LOGGER.info("\nbicubic: MATLAB's imresize, rounded to 8 bits. %s: a metric that could not be had.", '–')
        with ranks.together():
            if ranks.is_first:
                self._write(path, rows, image_rows)
        return ranks.from_first(rows)

    def _method(self, model: TrainedModel, device: torch.device) -> Method:
        configuration = self.configuration
        chunk, views = (
            configuration.eval_batch_size,
            configuration.self_ensemble or configuration.protocol.self_ensemble,
        )
        predict = predictor_of(
            model.network,
            configuration.test_strategy,
            device,
            chunk,
            configuration.breakdown_patch_size,
            configuration.overlap,
            max_memory=configuration.max_memory,
        )
        if configuration.max_memory is not None:
            # The whole may not fit.
            return Method(model.name, self_ensembled(predict, views), views)
        whole = predictor_of(model.network, TestingStrategy.Simple, device, chunk)
        return Method(model.name, self_ensembled(predict, views), views, self_ensembled(whole, views))

    def _costs(self, model: TrainedModel, scales: set[AnyScale], device: torch.device) -> dict[AnyScale, Cost]:
        if not self.configuration.measure_cost:
            return {}
        side, chunk = self.configuration.cost_lr_side, self.configuration.eval_batch_size
        _LOGGER.info('Measuring the cost of one LR picture of %dx%d pixels', side, side)
        return {
            scale: measure_cost(model.network, (side, side), scale, device, queries_per_chunk=chunk) for scale in scales
        }

    def _evaluate(self, task: Task, method: Method, metrics: Metrics, path: Path, ranks: Ranks) -> list[Evaluated]:
        results: list[Evaluated] = []
        name = f'{task.benchmark.name} x{scale_text(task.scale)} {method.name}'
        folder = Path(self.configuration.result_path) / path.stem / task.folder
        evaluate_one = _PictureTest(task, method, metrics, keeps_pictures=self._saves(method))
        evaluated = ranks.map(len(task.images), evaluate_one)
        silent = None if ranks.is_first else True
        for result, pixels in tqdm(evaluated, name, len(task.images), unit='picture', leave=False, disable=silent):
            if pixels is not None and ranks.is_first:
                write_png(folder / f'{result.name}.png', pixels)
            # Of several processes each has measured one.
            is_measured = any(earlier.difference_from_whole is not None for earlier in results)
            results.append(dataclasses.replace(result, difference_from_whole=None) if is_measured else result)
        if not_finite(results):
            _LOGGER.warning(
                '%s: %s. The mean leaves infinite scores out, and is not a number if one of them is not.',
                name, not_finite(results),
            )  # fmt: skip
        return results

    def _saves(self, method: Method) -> bool:
        return self.configuration.save_pictures and method.name != 'bicubic'

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
            'exactness': None,  # these three are told by the results and the method; here for their place in the table
            'difference_from_whole': None,
            'self_ensemble': None,
            'protocol': configuration.protocol.name,
            'protocol_fields': configuration.protocol.describe(),
            'eval_size': None if configuration.eval_size is None else '{}x{}'.format(*configuration.eval_size),
            'device': str(device),
            'code_version': code_version(),
            'torch_version': str(torch.__version__),
        }

    def _table(self, path: Path) -> Path:
        return Path(self.configuration.result_path) / f'{path.stem}.csv'

    def _write(self, path: Path, rows: Sequence[dict[str, object]], image_rows: Sequence[dict[str, object]]) -> None:
        folder = Path(self.configuration.result_path)
        append_csv(self._table(path), rows)
        append_csv(folder / f'{path.stem}_images.csv', image_rows)
        _LOGGER.info('Table:       %s', self._table(path))
        _LOGGER.info('Per picture: %s', folder / f'{path.stem}_images.csv')
        if self.configuration.save_pictures:
            _LOGGER.info('Pictures:    %s', folder / path.stem)
        _LOGGER.info('Checkpoint:  %s', path)


class _PictureTest:
    """Upscales and scores pictures of a task; gives the scores, and the pixels if they are wanted."""

    def __init__(self, task: Task, method: Method, metrics: Metrics, *, keeps_pictures: bool) -> None:
        self._task = task
        self._method = method
        self._metrics = metrics
        self._keeps_pictures = keeps_pictures
        self._is_measured = False

    def __call__(self, index: int) -> tuple[Evaluated, Pixels | None]:
        task = self._task
        result = next(
            evaluate(
                self._method.predict,
                [task.images[index]],
                self._metrics,
                color=task.color,
                border_px=task.border_px,
                rounds_to_8_bits=task.protocol.rounds_to_8_bits,
            )
        )
        # One picture tells; a second would cost as much again.
        difference = None if self._is_measured else self._method.difference_from_whole(result)
        self._is_measured = self._is_measured or difference is not None
        consistency = scale_consistency(result.sr, result.lr, task.images.convention)
        scored = dataclasses.replace(
            without_pictures(result), difference_from_whole=difference, scale_consistency_db=consistency
        )
        return scored, to_pixels(result.sr[0]) if self._keeps_pictures else None


def _refuse_other_network(configuration: BaseTestingConfiguration, model: TrainedModel, path: Path) -> None:
    for setting in ('encoder', 'decoder'):
        asked, found = getattr(configuration, setting).name, model.configuration.get(setting)
        if asked != found:
            raise CheckpointError(f'{path} holds the {setting} {found}, but {setting} = {asked} is asked for.')


def _task_columns(task: Task, method: Method) -> dict[str, object]:
    return {
        'self_ensemble': method.self_ensemble,
        'method': method.name,
        'benchmark': task.benchmark.name,
        'scale': scale_text(task.scale) if isinstance(task.scale, tuple) else task.scale,
        'lr': task.images.lr_source,
        'color': task.color,
        'border_px': task.border_px,
    }


def _score_columns(scores: Scores) -> dict[str, object]:
    return {kind.name: scores.get(kind) for kind in QualityType}


def _row_columns(results: Sequence[Evaluated]) -> dict[str, object]:
    seconds = sum(result.seconds for result in results) / len(results)
    is_exact = all(result.exactness == 'exact' for result in results)
    differences = [result.difference_from_whole for result in results]
    return (
        {
            'exactness': 'exact' if is_exact else 'approximate',
            'difference_from_whole': next((value for value in differences if value is not None), None),
            'pictures': len(results),
        }
        | _score_columns(mean_scores(results))
        | {'scale_consistency_db': mean_of([result.scale_consistency_db for result in results])}
        | {'not_finite': not_finite(results), 'seconds_per_picture': round(seconds, 4)}
    )


def _image_columns(result: Evaluated) -> dict[str, object]:
    return (
        {
            'exactness': result.exactness,
            'difference_from_whole': result.difference_from_whole,
            'picture': result.name,
        }
        | _score_columns(result.scores)
        | {'scale_consistency_db': result.scale_consistency_db, 'seconds': round(result.seconds, 4)}
    )


def _title(benchmark: BenchmarkType, tasks: Sequence[Task]) -> str:
    task = next(task for task in tasks if task.benchmark is benchmark)
    border = task.protocol.border_text(task.row.kind)
    compared = f'{task.color}, border {border}, protocol {task.protocol.name}'
    return f'{benchmark.name}: {len(task.images)} pictures, {compared}'


def _table_header(metrics: Metrics) -> list[str]:
    units = {
        kind: f' ({metric.unit})' if metric is not None and metric.unit else '' for kind, metric in metrics.items()
    }
    return ['scale', 'method', *(f'{kind.name}{units[kind]}' for kind in metrics), 's/picture']


def _table_line(
    task: Task, method: str, results: Sequence[Evaluated], metrics: Metrics, *, is_first: bool
) -> list[str]:
    scores = mean_scores(results)
    cells = [
        format_number(scores[kind], metric.decimals) if metric is not None else format_number(None, 0)
        for kind, metric in metrics.items()
    ]
    seconds = math.fsum(result.seconds for result in results) / len(results)
    return [f'x{scale_text(task.scale)}' if is_first else '', method, *cells, f'{seconds:.2f}']
