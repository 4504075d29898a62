"""The parts of a test: each benchmark at each scale, as the protocol has it, and the methods."""

import dataclasses
import hashlib
import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from Configuration.BaseTestingConfiguration import BaseTestingConfiguration
from Configuration.protocols import Protocol
from Datasets.BenchmarkImages import BenchmarkImages
from Datasets.benchmarks import BENCHMARKS, Benchmark, hr_files
from Datasets.checks import check_pictures
from Datasets.target_size import scale_to_size
from Models.BenchmarkType import BenchmarkType
from Models.DecoderType import DecoderType
from Models.SuperResolver import SuperResolver
from Orchestrators.Evaluation.evaluation import Evaluated
from Orchestrators.Evaluation.scoring import ScoreColor
from Orchestrators.Prediction.prediction import Predictor
from Orchestrators.Prediction.self_ensemble import Views
from Utilities.coordinates import AnyScale, scale_text
from Utilities.files import list_problems

_LOGGER = logging.getLogger(__name__)
_SMALL_PX = 512
"""Height and width up to which a picture is also upscaled whole, to measure the difference."""


@dataclasses.dataclass(frozen=True)
class Task:
    """One benchmark at one scale."""

    benchmark: BenchmarkType
    scale: AnyScale
    row: Benchmark
    images: BenchmarkImages
    protocol: Protocol
    size: tuple[int, int] | None
    """(height, width) of all results, if it is fixed."""

    @cached_property
    def pictures_sha256(self) -> str:
        """Hash over names and contents of the HR and LR files."""
        digest = hashlib.sha256()
        for file in (*self.images.hr_files, *self.images.lr_files):
            digest.update(file.stem.encode('utf-8', 'surrogateescape') + _sha256(file))
        return digest.hexdigest()

    @property
    def color(self) -> ScoreColor:
        """Color that is compared: RGB or Y."""
        return self.protocol.color_of(self.row.kind)

    @property
    def border_px(self) -> int:
        """Pixels shaved off each side."""
        return self.protocol.border_px(self.row.kind, self.scale)


@dataclasses.dataclass(frozen=True)
class Method:
    """A way of upscaling that gets rows of its own."""

    name: str
    predict: Predictor
    self_ensemble: Views = 1

    whole: Predictor | None = None
    """The same with whole pictures, if `predict` may only approximate it."""

    def difference_from_whole(self, result: Evaluated) -> float | None:
        """Largest absolute difference of an approximate picture from the whole, in 0..1; None: not measured.

        Only small pictures are: tiles may be there because the whole does not fit into memory.
        """
        height, width = result.sr.shape[2:]
        if self.whole is None or result.exactness == 'exact' or max(height, width) > _SMALL_PX:
            return None
        difference = (self.whole(result.lr, (height, width)).image - result.sr).abs().max().item()
        _LOGGER.info(
            '%s, %dx%d pixels: approximate, differs from the whole by up to %.2g (of 1).',
            result.name, width, height, difference,
        )  # fmt: skip
        return difference


def _sha256(file: Path) -> bytes:
    with file.open('rb') as opened:
        return hashlib.file_digest(opened, 'sha256').digest()


def benchmarks_of(configuration: BaseTestingConfiguration, asked: Sequence[BenchmarkType]) -> list[BenchmarkType]:
    """The benchmarks of a call, each once: those that it names, else the configuration's.

    Raises:
        ValueError: for a folder of one's own without `BenchmarkType.BENCHMARK`, the only one that it belongs to.
    """
    benchmarks = list(dict.fromkeys(asked or (configuration.benchmark,)))
    if BenchmarkType.BENCHMARK in benchmarks:
        return benchmarks
    for setting in ('valid_data_path', 'valid_data_pathScale'):
        folder = getattr(configuration, setting)
        if folder is not None:
            names = ', '.join(benchmark.name for benchmark in benchmarks)
            raise ValueError(
                f'{setting} = {folder!r} belongs to BenchmarkType.BENCHMARK, but tested are {names}, which have files '
                f'of their own. Test BenchmarkType.BENCHMARK (too), or leave {setting} None.'
            )
    return benchmarks


def tasks_of(configuration: BaseTestingConfiguration, benchmark: BenchmarkType) -> list[Task]:
    """A benchmark at each scale that is asked for.

    `valid_data_path` and `valid_data_pathScale` are of `BenchmarkType.BENCHMARK` alone.

    Raises:
        ValueError, OSError: if its pictures are missing or unusable.
    """
    row = BENCHMARKS[benchmark]
    if benchmark is BenchmarkType.BENCHMARK and configuration.valid_data_path is None:
        raise ValueError('valid_data_path must name a folder of HR pictures for BenchmarkType.BENCHMARK, got None.')
    own = benchmark is BenchmarkType.BENCHMARK
    files = hr_files(benchmark, configuration.valid_data_path if own else None)[: configuration.total_example]
    lr_folders = configuration.valid_data_pathScale if own else None
    size = None if configuration.eval_size is None else configuration.eval_size[::-1]
    protocol = configuration.protocol
    scales = scales_of(configuration.eval_scale, row.scales)
    if size is not None and lr_folders is not None:
        scales, size_of_made = (_simplified(scale_to_size(files, Path(lr_folders), size)),), None
    else:
        size_of_made = size
    tasks = []
    for scale in scales:
        lr_folder = None if lr_folders is None else Path(lr_folders.replace('{scale}', scale_text(scale)))
        images = BenchmarkImages.of_protocol(
            benchmark,
            files,
            scale,
            lr_folder,
            official_scales=protocol.official_lr_scales,
            convention=protocol.lr_bicubic,
            hr_multiple=protocol.hr_multiple,
            size=size_of_made,
            max_image_pixels=configuration.max_image_pixels,
        )
        tasks.append(Task(benchmark, scale, row, images, protocol, size))
    return tasks


def refuse_unusable(tasks: Sequence[Task]) -> None:
    """Decode every picture of all tasks, so that one that can't be used is found before the first is scored.

    Raises:
        ValueError: naming each file that is damaged, or of which the borders leave nothing.
    """
    problems: list[str] = []
    for benchmark in dict.fromkeys(task.benchmark for task in tasks):
        by_scale = {task.scale: task for task in tasks if task.benchmark is benchmark}
        images = {scale: task.images for scale, task in by_scale.items()}
        _LOGGER.info('Checking the pictures of %s', benchmark.name)
        problems += check_pictures(images, lambda scale, tasks=by_scale: tasks[scale].border_px)  # type: ignore[misc]
    if problems:
        raise ValueError(f'{len(problems)} pictures can not be tested:{list_problems(problems)}')


def scales_of(
    setting: float | tuple[float | tuple[float, float], ...] | None, published: tuple[float, ...]
) -> tuple[AnyScale, ...]:
    """The scales that a setting means, each once, with pairs in the order of shapes: it has them as (horizontal,
    vertical).
    """
    if setting is None:
        return published
    entries = setting if isinstance(setting, tuple) else (setting,)
    return tuple(dict.fromkeys(_simplified(entry[::-1]) if isinstance(entry, tuple) else entry for entry in entries))


def _simplified(scale: tuple[float, float]) -> AnyScale:
    return scale[0] if scale[0] == scale[1] else scale


def limit_cell(network: SuperResolver, decoder: DecoderType, protocol: Protocol) -> None:
    """Let a network see the cells that a protocol lets it see."""
    if protocol.cell_scale_max != 'network' and decoder is not DecoderType.Native:
        network.decoder.limit_cell(protocol.cell_scale_max)
