"""Testing: a trained network and bicubic interpolation, side by side on benchmarks."""

import dataclasses
import datetime
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm import tqdm

from Configuration.BaseTestingConfiguration import BaseTestingConfiguration
from Models.BenchmarkType import BenchmarkType
from Models.TestingStrategy import TestingStrategy
from Orchestrators.Evaluation.cost import Cost, cost_columns, measure_cost
from Orchestrators.Evaluation.evaluation import (
    Evaluated,
    Metrics,
    build_metrics,
    evaluate,
    not_finite,
    without_pictures,
)
from Orchestrators.Evaluation.result_rows import BICUBIC, Cell, SummaryRow, picture_row, summary_of
from Orchestrators.Evaluation.ResultTables import ResultTables
from Orchestrators.Evaluation.scale_consistency import scale_consistency
from Orchestrators.Evaluation.testing_tasks import (
    Method,
    Task,
    benchmarks_of,
    limit_cell,
    refuse_unusable,
    tasks_of,
)
from Orchestrators.Prediction.file_names import checkpoint_path
from Orchestrators.Prediction.self_ensemble import self_ensembled
from Orchestrators.Prediction.strategies import bicubic, predictor_of
from Orchestrators.Prediction.trained_model import TrainedModel, load_trained_model
from Utilities.Checkpoint import CheckpointError
from Utilities.coordinates import AnyScale, scale_text
from Utilities.devices import allow_tf32, choose_device
from Utilities.distributed import Ranks
from Utilities.images import Pixels, to_pixels, write_png
from Utilities.reports import MISSING, format_number, format_table
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

    def test(self, *benchmarks: BenchmarkType) -> list[dict[str, Cell]]:
        """Test, print tables, and append to `<result_path>/<checkpoint>.csv` and `<checkpoint>_images.csv`.

        Rows are written as each benchmark, scale and method ends. A test that was stopped goes on with what is missing,
        if the same is asked again of the same weights, pictures and code.

        Args:
            benchmarks: what to test on; none: the configuration's `benchmark`.

        Returns:
            The rows of the CSV file, one per benchmark, scale and method.

        Raises:
            ValueError, OSError: if the checkpoint or a benchmark's pictures are missing or unusable, each named, or
                folders are given for `BenchmarkType.BENCHMARK` and it is not tested; then nothing is scored.
        """
        chosen = benchmarks_of(self.configuration, benchmarks)
        ranks = Ranks.from_environment()
        device = choose_device(self.configuration.device, ranks)
        with ranks.joined(device):
            return self._test(chosen, device, ranks)

    def _test(self, benchmarks: Sequence[BenchmarkType], device: torch.device, ranks: Ranks) -> list[dict[str, Cell]]:
        configuration = self.configuration
        # As in validation: a table should not depend on what a GPU rounds.
        allow_tf32(False)
        path = checkpoint_path(configuration, configuration.model_name, configuration.model_path)
        model = load_trained_model(path, device)
        _refuse_other_network(configuration, model, path)
        tables = ResultTables(Path(configuration.result_path), path.stem)
        tables.refuse_other_protocol(configuration.protocol)
        tasks = [task for benchmark in benchmarks for task in tasks_of(configuration, benchmark)]
        with ranks.together():
            if ranks.is_first:
                refuse_unusable(tasks)
        metrics = build_metrics(configuration.metrics, device)
        limit_cell(model.network, configuration.decoder, configuration.protocol)
        methods = (Method(BICUBIC, bicubic), self._method(model, device))
        _LOGGER.info('Testing %s (epoch %d) on %s, version %s', path, model.epoch, device, code_version())

        head = self._head(model, path, device, metrics)
        asked = [_Asked(task, method, self._row(head, task, method)) for task in tasks for method in methods]
        there = ranks.from_first(self._rows_there(tables, asked))
        missing = {question.task.scale for question, row in zip(asked, there, strict=True) if row is None}
        costs = self._costs(model, missing, device) if ranks.is_first else {}
        rows: list[SummaryRow] = []
        for question, row in zip(asked, there, strict=True):
            rows.append(row or self._measure(question, metrics, costs, tables, ranks))
            if len(rows) == len(asked) or asked[len(rows)].task.benchmark is not question.task.benchmark:
                own = [done for done in rows if done.benchmark == question.task.benchmark.name]
                lines = [_table_line(done, metrics) for done in own]
                _LOGGER.info('\n%s\n%s', _title(question.task), format_table(_table_header(metrics), lines))
        _LOGGER.info("\nbicubic: MATLAB's imresize, rounded to 8 bits. %s: a metric that could not be had.", MISSING)
        self._tell(path, tables)
        return [row.cells() for row in ranks.from_first(rows)]

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

    def _rows_there(self, tables: ResultTables, asked: Sequence['_Asked']) -> list[SummaryRow | None]:
        """The rows that a test which was stopped has left, if their pictures are there too."""
        there = tables.answers([question.row for question in asked])
        for place, (task, method, row) in enumerate(asked):
            files = [self._picture(row, file.stem) for file in task.images.hr_files if self._saves(method)]
            if not all(file.exists() for file in files):
                there[place] = None
        if any(there):
            count = sum(row is not None for row in there)
            _LOGGER.info('Continuing: %d of %d rows are in %s already.', count, len(there), tables.summaries)
        return there

    def _measure(
        self, question: '_Asked', metrics: Metrics, costs: Mapping[AnyScale, Cost], tables: ResultTables, ranks: Ranks
    ) -> SummaryRow:
        task, method, row = question
        results = self._evaluate(question, metrics, ranks)
        cost = None if row.cost_lr_size is None else costs.get(task.scale)
        row = dataclasses.replace(row, **summary_of(results), **({} if cost is None else cost_columns(cost)))
        with ranks.together():
            if ranks.is_first:
                tables.append(row, [picture_row(row, result) for result in results])
        return row

    def _evaluate(self, question: '_Asked', metrics: Metrics, ranks: Ranks) -> list[Evaluated]:
        task, method, row = question
        results: list[Evaluated] = []
        name = f'{task.benchmark.name} x{scale_text(task.scale)} {method.name}'
        evaluate_one = _PictureTest(task, method, metrics, keeps_pictures=self._saves(method))
        evaluated = ranks.map(len(task.images), evaluate_one)
        silent = None if ranks.is_first else True
        for result, pixels in tqdm(evaluated, name, len(task.images), unit='picture', leave=False, disable=silent):
            if pixels is not None and ranks.is_first:
                write_png(self._picture(row, result.name), pixels)
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
        return self.configuration.save_pictures and method.name != BICUBIC

    def _picture(self, row: SummaryRow, name: str) -> Path:
        return Path(self.configuration.result_path) / row.pictures_folder / f'{name}.png'

    def _head(self, model: TrainedModel, path: Path, device: torch.device, metrics: Metrics) -> SummaryRow:
        """The part that all rows of the call have in common."""
        configuration = self.configuration
        return SummaryRow(
            time=datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
            encoder=configuration.encoder.name,
            decoder=configuration.decoder.name,
            recipe=configuration.recipe_name,
            input_patch=configuration.input_patch,
            scale_range='-'.join(f'{scale:g}' for scale in configuration.scale_range),
            checkpoint=path.name,
            checkpoint_sha256=model.sha256[:16],
            epoch=model.epoch,
            samples_seen=model.samples_seen,
            seed=model.configuration.get('seed'),
            strategy=configuration.test_strategy.name,
            breakdown_patch_size=configuration.breakdown_patch_size,
            overlap=configuration.overlap,
            max_memory=configuration.max_memory,
            metrics=' '.join(kind.name for kind, metric in metrics.items() if metric is not None),
            protocol=configuration.protocol.name,
            protocol_fields=configuration.protocol.describe(),
            eval_size=None if configuration.eval_size is None else '{}x{}'.format(*configuration.eval_size),
            device=str(device),
            code_version=code_version(),
            torch_version=str(torch.__version__),
        )

    def _row(self, head: SummaryRow, task: Task, method: Method) -> SummaryRow:
        """Everything but what is to be measured."""
        side = self.configuration.cost_lr_side
        return dataclasses.replace(
            head,
            self_ensemble=method.self_ensemble,
            method=method.name,
            benchmark=task.benchmark.name,
            scale=scale_text(task.scale) if isinstance(task.scale, tuple) else task.scale,
            lr=task.images.lr_source,
            color=task.color,
            border_px=task.border_px,
            pictures_sha256=task.pictures_sha256[:16],
            pictures=len(task.images),
            cost_lr_size=f'{side}x{side}' if self.configuration.measure_cost and method.name != BICUBIC else None,
        )

    def _tell(self, path: Path, tables: ResultTables) -> None:
        _LOGGER.info('Table:       %s', tables.summaries)
        _LOGGER.info('Per picture: %s', tables.pictures)
        if self.configuration.save_pictures:
            _LOGGER.info('Pictures:    %s', Path(self.configuration.result_path) / path.stem)
        _LOGGER.info('Checkpoint:  %s', path)


class _Asked(NamedTuple):
    """A row that is to be."""

    task: Task
    method: Method
    row: SummaryRow


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
        result = evaluate(
            self._method.predict,
            task.images[index],
            self._metrics,
            color=task.color,
            border_px=task.border_px,
            rounds_to_8_bits=task.protocol.rounds_to_8_bits,
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


def _title(task: Task) -> str:
    border = task.protocol.border_text(task.row.kind)
    compared = f'{task.color}, border {border}, protocol {task.protocol.name}'
    return f'{task.benchmark.name}: {len(task.images)} pictures, {compared}'


def _table_header(metrics: Metrics) -> list[str]:
    units = {
        kind: f' ({metric.unit})' if metric is not None and metric.unit else '' for kind, metric in metrics.items()
    }
    return ['scale', 'method', *(f'{kind.name}{units[kind]}' for kind in metrics), 's/picture']


def _table_line(row: SummaryRow, metrics: Metrics) -> list[str]:
    cells = [
        format_number(row.scores.get(kind), 0 if metric is None else metric.decimals)
        for kind, metric in metrics.items()
    ]
    # Each scale is said once, at its first row.
    scale = f'x{row.text("scale")}' if row.method == BICUBIC else ''
    return [scale, row.text('method'), *cells, format_number(row.seconds_per_picture, 2)]
