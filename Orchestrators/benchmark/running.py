"""Goes through a plan, says what it finds, and writes it down."""

import logging
import platform
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch

from Models.DecoderType import DecoderType
from Models.SuperResolver import SuperResolver
from Orchestrators.benchmark import naive, report
from Orchestrators.benchmark.loader import CacheKind, samples_per_second
from Orchestrators.benchmark.measuring import Comparison, Spread, alternate, clock_of, peak_memory_apart
from Orchestrators.benchmark.Plan import Case, Plan
from Orchestrators.benchmark.subjects import TrainingStep, Upscaling, build_model, in_precision
from Utilities.devices import choose_device
from Utilities.version import code_version

_LOGGER = logging.getLogger(__name__)
_WARM_UP: Case = (16, 2.0)


class InferenceRow(NamedTuple):
    """A picture upscaled; seconds for all of it."""

    decoder: DecoderType
    case: Case
    megapixels: float
    seconds: Comparison
    difference: float


class MemoryRow(NamedTuple):
    """Bytes beyond the model and the picture, the result included."""

    decoder: DecoderType
    case: Case
    megapixels: float
    ours: int
    naive: int


class TrainingRow(NamedTuple):
    """A step; seconds for all of it."""

    decoder: DecoderType
    batch: int
    seconds: Comparison


class Results(NamedTuple):
    """What a run found; lists of parts that were not measured are empty."""

    plan: Plan
    machine: str
    version: str
    inference: list[InferenceRow]
    memory: list[MemoryRow]
    training: list[TrainingRow]
    loader: dict[str, Spread]


def run(plan: Plan, folder: Path) -> Results:
    """Measure, and write benchmarks.md and benchmarks.png into a folder.

    Raises:
        ValueError: without the folder tests/, or for a device that is not there.
    """
    device = choose_device(plan.device)
    if 'memory' in plan.parts and device.type == 'cpu':
        # Threads do not survive the fork that memory is measured in, so it comes before the first of them.
        torch.set_num_threads(1)
    results = Results(plan, _machine(device), code_version(), [], [], [], {})
    with in_precision(plan, device):
        models = {decoder: build_model(decoder, plan, device) for decoder in plan.decoders}
        for decoder, model in models.items():
            _measure_memory(results, decoder, model, naive, device)
        torch.set_num_threads(plan.threads)
        for decoder, model in models.items():
            _time_inference(results, decoder, model, naive, device)
        for decoder, model in models.items():
            _time_training(results, decoder, model, naive, device)
    _time_loader(results)
    _write(results, folder)
    return results


def _measure_memory(
    results: Results, decoder: DecoderType, model: SuperResolver, naive: ModuleType, device: torch.device
) -> None:
    if 'memory' not in results.plan.parts:
        return
    small = Upscaling(model, naive, _WARM_UP)
    small.difference()
    for case in results.plan.memory_cases(decoder):
        subject = Upscaling(model, naive, case)
        ours = peak_memory_apart(subject.ours, device, small.ours)
        plain = peak_memory_apart(subject.plain, device, small.plain)
        if ours is None or plain is None:
            _LOGGER.warning('Memory is not measured: this system does not tell how much a process holds.')
            return
        results.memory.append(MemoryRow(decoder, case, subject.megapixels, ours, plain))
        _say(decoder, f'{_named(case)}: peak {ours / 2**20:.0f} MB, plain {plain / 2**20:.0f} MB')


def _time_inference(
    results: Results, decoder: DecoderType, model: SuperResolver, naive: ModuleType, device: torch.device
) -> None:
    plan = results.plan
    if 'inference' not in plan.parts:
        return
    Upscaling(model, naive, _WARM_UP).difference()
    for case in plan.timed_cases(decoder):
        subject = Upscaling(model, naive, case)
        seconds = alternate(subject.ours, subject.plain, plan.alternations, clock_of(device, plan.threads))
        results.inference.append(InferenceRow(decoder, case, subject.megapixels, seconds, subject.difference()))
        _say(decoder, f'{_named(case)}: {seconds.ratio.median:.2f} times as fast')


def _time_training(
    results: Results, decoder: DecoderType, model: SuperResolver, naive: ModuleType, device: torch.device
) -> None:
    plan = results.plan
    if 'training' not in plan.parts:
        return
    model.train()
    step = TrainingStep(model, naive, plan.batch_of(decoder), plan.patch)
    seconds = alternate(step.ours, step.plain, plan.alternations, clock_of(device, plan.threads))
    model.eval()
    results.training.append(TrainingRow(decoder, plan.batch_of(decoder), seconds))
    _say(decoder, f'training step of {plan.batch_of(decoder)}: {seconds.ratio.median:.2f} times as fast')


def _time_loader(results: Results) -> None:
    if 'loader' not in results.plan.parts:
        return
    kinds: tuple[tuple[str, CacheKind, int], ...] = (
        ('in memory', 'memory', 400),
        ('mapped from the disk', 'disk', 400),
        ('decoded each time', 'none', 16),
    )
    for name, cache, samples in kinds:
        results.loader[name] = samples_per_second(results.plan.alternations, cache=cache, samples=samples)
        _LOGGER.info(f'Pictures {name}: {results.loader[name].median:.0f} samples/s on one core')


def _write(results: Results, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    picture = None
    if len({row.megapixels for row in results.memory}) > 1:
        picture = report.draw(results, folder / 'benchmarks.png')
    path = folder / 'benchmarks.md'
    path.write_text(report.describe(results, picture), encoding='utf-8')
    _LOGGER.info(f'Written: {path}' + (f', {picture}' if picture else ''))


def _say(decoder: DecoderType, text: str) -> None:
    _LOGGER.info(f'{decoder.name:8} {text}')


def _named(case: Case) -> str:
    return f'{case[0]}x{case[0]} x{case[1]:g}'


def _machine(device: torch.device) -> str:
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    models = [line for line in _cpu_info() if line.startswith('model name')]
    return models[0].partition(':')[2].strip() if models else platform.processor() or platform.machine()


def _cpu_info() -> list[str]:
    path = Path('/proc/cpuinfo')
    return path.read_text(encoding='utf-8').splitlines() if path.exists() else []
