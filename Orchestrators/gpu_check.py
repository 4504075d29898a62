"""Everything that only a GPU can tell, in one go of minutes: `python -m Orchestrators.gpu_check`.

Each stage writes what it found into `gpu.json` as it ends, so that a lease that ends early loses one stage; `gpu.md` is
made of that file. With `--dry` all stages run on the CPU at the smallest sizes, to see that they run.
"""

import argparse
import csv
import dataclasses
import functools
import json
import logging
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from Configuration import TrainSimple
from Models.BenchmarkType import BenchmarkType
from Models.build import build_super_resolver
from Models.Decoders.Queries import GridQueries, View
from Models.DecoderType import DecoderType
from Models.EncoderType import EncoderType
from Models.Layers import fused_mlp
from Models.Layers.blended_mlp import answer_plainly
from Models.Layers.fourier_features import fourier_features
from Models.Layers.fused_mlp import fused_offsets, fused_waves
from Models.Layers.local_ensemble import gather_pixels
from Orchestrators.benchmark import naive
from Orchestrators.benchmark.Plan import Plan
from Orchestrators.benchmark.subjects import TrainingStep, Upscaling, build_model, in_precision
from Orchestrators.Prediction.memory_plan import HeldMemory, MemoryPlanner
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from Utilities.command_line import run_command
from Utilities.coordinates import cell_of, pixel_centers
from Utilities.devices import allow_tf32
from Utilities.memory import MIB, peak_memory_of
from Utilities.version import code_version

_LOGGER = logging.getLogger(__name__)
_PRECISIONS = ('fp32', 'tf32', 'bf16')
_DECODERS = ('LIIF', 'LTE', 'SRNO', 'HIIF', 'CiaoSR', 'Thera', 'GSASR')
_KERNELS = {
    'gather, scatter': ('index', 'gather', 'scatter', 'embedding'),
    'convolutions': ('conv', 'cudnn', 'xmma', 'wgrad', 'dgrad', 'implicit'),
    'products': ('gemm', 'cutlass', 'nvjet'),
    'optimizer': ('adam', 'multi_tensor'),
}
"""What a kernel is for, by words in its name; the first that fits counts."""

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Setting:
    """Where, and how much."""

    device: torch.device
    dry: bool

    @property
    def decoders(self) -> list[DecoderType]:
        """Those that this version has."""
        names = _DECODERS[:1] if self.dry else _DECODERS
        return [member for member in DecoderType if member.name in names]

    @property
    def sides(self) -> tuple[int, ...]:
        """Of LR pictures, in pixels."""
        return (16,) if self.dry else (120, 256)

    def seconds_of(self, action: Callable[[], object], times: int = 9) -> float:
        """Median seconds of a call, after two that warm up."""
        for _ in range(0 if self.dry else 2):
            action()
        found: list[float] = []
        # Three times at least, but seconds for a slow call are spent better elsewhere.
        while len(found) < (1 if self.dry else times) and (len(found) < 3 or sum(found) < 1):  # noqa: PLR2004
            self.wait()
            start = time.perf_counter()
            action()
            self.wait()
            found.append(time.perf_counter() - start)
        return statistics.median(found)

    def wait(self) -> None:
        """Until the device has done what it was given."""
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)


def tests(setting: Setting) -> Iterable[Row]:
    """The tests marked `gpu`."""
    if not Path('tests').is_dir():
        return
    command = [sys.executable, '-m', 'pytest', '-q', '-m', 'gpu', '-p', 'no:cacheprovider', 'tests']
    if setting.dry:
        command.append('--collect-only')
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = ended.stdout.strip().splitlines() or ended.stderr.strip().splitlines()
    yield {'exit status': ended.returncode, 'result': lines[-1] if lines else ''}
    for line in lines:
        if line.startswith(('FAILED', 'ERROR')):
            yield {'exit status': ended.returncode, 'result': line[:400]}


def processes(setting: Setting) -> Iterable[Row]:
    """A sum over one process by the backend of this device."""
    backend = 'nccl' if setting.device.type == 'cuda' else 'gloo'
    with tempfile.TemporaryDirectory() as folder:
        torch.distributed.init_process_group(backend, init_method=f'file://{folder}/store', rank=0, world_size=1)
        try:
            numbers = torch.arange(1000.0, device=setting.device)
            expected = numbers.clone()
            torch.distributed.all_reduce(numbers)
            yield {'backend': backend, 'sum equals': bool(torch.equal(numbers, expected))}
        finally:
            torch.distributed.destroy_process_group()


def inference(setting: Setting) -> Iterable[Row]:
    """A picture from LR to x4, encoder included: ours, and the published algorithm written plainly."""
    for decoder in setting.decoders:
        for precision in _PRECISIONS[: 1 if setting.dry else None]:
            plan = Plan(device=str(setting.device), precision=precision)
            with in_precision(plan, setting.device):
                model = build_model(decoder, plan, setting.device)
                for side in setting.sides if decoder.name in ('LIIF', 'LTE') else setting.sides[:1]:
                    subject = Upscaling(model, naive, (side, 4.0))
                    ours = setting.seconds_of(subject.ours)
                    row = {
                        'decoder': decoder.name, 'LR': side, 'precision': precision, 'ms': 1e3 * ours,
                        'MP/s': subject.megapixels / ours,
                    }  # fmt: skip
                    if side == min(setting.sides):
                        plain = setting.seconds_of(subject.plain, 5)
                        row |= {'ms of the plain form': 1e3 * plain, 'times as fast': plain / ours}
                        row['largest difference'] = subject.difference()
                    yield row


def chunks(setting: Setting) -> Iterable[Row]:
    """Queries asked for at a time: time and memory."""
    for name in ('LIIF', 'LTE'):
        for precision in ('fp32', 'bf16')[: 1 if setting.dry else None]:
            plan = Plan(device=str(setting.device), precision=precision)
            with in_precision(plan, setting.device):
                model = build_model(DecoderType[name], plan, setting.device)
                side = setting.sides[-1]
                lr = torch.rand(1, 3, side, side, device=setting.device)
                for queries in (2**12,) if setting.dry else tuple(2**power for power in range(13, 21)):
                    upscale = functools.partial(model.upscale, lr, (4 * side, 4 * side), queries_per_chunk=queries)
                    row: Row = {'decoder': name, 'precision': precision, 'LR': side, 'queries': queries}
                    row['ms'] = 1e3 * setting.seconds_of(upscale, 5)
                    if setting.device.type == 'cuda':
                        row['peak MiB'] = peak_memory_of(upscale, setting.device) / MIB
                    yield row


def memory(setting: Setting) -> Iterable[Row]:
    """Plans of `max_memory` against the most that the allocator handed out."""
    for name in ('LIIF', 'LTE', 'CiaoSR'):
        torch.manual_seed(0)
        model = build_super_resolver(EncoderType.EDSR, DecoderType[name]).to(setting.device).eval()
        side = 48 if setting.dry else 512
        lr = torch.rand(1, 3, side, side)
        for limit in (4096,) if setting.dry else (256, 1024, 4096):
            size = (4 * side, 4 * side)
            row: Row = {'decoder': name, 'LR': side, 'max_memory': limit}
            try:
                plan = MemoryPlanner(model, limit).plan((side, side), size, HeldMemory())
            except ValueError as error:
                yield row | {'plan': f'refused: {str(error).partition(",")[0]}'}
                continue
            row['plan'] = str(plan)
            if setting.device.type == 'cuda' and plan.side is None:
                before = torch.cuda.memory_allocated(setting.device)
                upscale = functools.partial(model.upscale, lr, size, queries_per_chunk=plan.queries_per_chunk)
                peak = peak_memory_of(upscale, setting.device)
                row['peak MiB'] = (before + peak) / MIB
                row['held'] = row['peak MiB'] <= limit
            yield row


def steps(setting: Setting) -> Iterable[Row]:
    """Training steps on batches that are there already: encoder and decoder, forward, backward, Adam."""
    for decoder in setting.decoders:
        batches = (2,) if setting.dry else (16, 32)
        for precision in _PRECISIONS[: 1 if setting.dry else None]:
            for batch in batches if decoder.name in ('LIIF', 'LTE') else batches[:1]:
                yield _step(setting, decoder, precision, batch)


def compiled(setting: Setting) -> Iterable[Row]:
    """The same through torch.compile, by its modes; `reduce-overhead` is CUDA graphs."""
    for decoder in setting.decoders[:2]:
        for mode in ('default', 'reduce-overhead'):
            yield _step(setting, decoder, 'fp32' if setting.dry else 'bf16', 2 if setting.dry else 16, mode)


def _step(setting: Setting, decoder: DecoderType, precision: str, batch: int, mode: str | None = None) -> Row:
    plan = Plan(device=str(setting.device), precision=precision)
    row: Row = {'decoder': decoder.name, 'batch': batch, 'precision': precision, 'compiled': mode or 'no'}
    with in_precision(plan, setting.device):
        model = build_model(decoder, plan, setting.device).train()
        step = TrainingStep(model, naive, batch, 8 if setting.dry else 48)
        if mode is not None:
            model.compile(mode=mode)
        start = time.perf_counter()
        try:
            step.ours()
            setting.wait()
            row['s of the first'] = time.perf_counter() - start
            seconds = setting.seconds_of(step.ours)
        except Exception as error:  # noqa: BLE001  the stage goes on with what else there is
            return row | {'failed': f'{type(error).__name__}: {str(error)[:200]}'}
        row |= {'ms': 1e3 * seconds, 'samples/s': batch / seconds}
        if mode is None and batch == 16:  # noqa: PLR2004
            row['times as fast as the plain form'] = setting.seconds_of(step.plain, 5) / seconds
    return row


def training(setting: Setting) -> Iterable[Row]:
    """Whole runs, from the pictures in memory to the updates: samples per second, by processes that prepare them."""
    cases: list[tuple[int, Literal['float32', 'bfloat16'], int]] = [(0, 'float32', 2)] if setting.dry else [
        (4, 'bfloat16', 32), (8, 'bfloat16', 32), (12, 'bfloat16', 32), (8, 'bfloat16', 16), (8, 'float32', 32),
    ]  # fmt: skip
    for workers, precision, batch in cases:
        with tempfile.TemporaryDirectory() as folder:
            recipe = TrainSimple(
                encoder=EncoderType.EDSR, decoder=DecoderType.LIIF, recipe='GPUCheck', save_path=folder,
                train_data=BenchmarkType.Photographs, valid_data=BenchmarkType.Photographs, valid_examples=1,
                valid_scales=(2,), repeat=2 if setting.dry else 1280, batch_size=batch, epochs=1,
                input_patch=8 if setting.dry else 48, workers=workers, precision=precision,
                device=str(setting.device), trackers=(), curves=False, sample_pictures=0,
            )  # fmt: skip
            TrainingOrchestrator(recipe).train()
            (table,) = Path(folder).glob('*/metrics.csv')
            last = list(csv.DictReader(table.read_text(encoding='utf-8').splitlines()))[-1]
        row: Row = {'workers': workers, 'precision': precision, 'batch': batch}
        yield row | {
            name: float(last[f'train/{column}'])
            for name, column in (('samples/s', 'samples_per_second'), ('share of waiting', 'loader_share'))
        }


def profiles(setting: Setting) -> Iterable[Row]:
    """Where the time of a training step goes on the device, by what a kernel is for; what is left is idle."""
    if setting.device.type != 'cuda':
        return
    for name in ('LIIF', 'LTE'):
        for precision in ('fp32', 'bf16'):
            plan = Plan(device=str(setting.device), precision=precision)
            with in_precision(plan, setting.device):
                model = build_model(DecoderType[name], plan, setting.device).train()
                step = TrainingStep(model, naive, 16, 48)
                wall = setting.seconds_of(step.ours)
                with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as found:
                    step.ours()
                    setting.wait()
            spent: dict[str, float] = {}
            launches = 0
            for event in found.key_averages():
                if event.device_type.name != 'CUDA':
                    continue
                launches += event.count
                kernel = event.key.lower()
                part = next((use for use, words in _KERNELS.items() if any(word in kernel for word in words)), 'others')
                spent[part] = spent.get(part, 0) + event.self_device_time_total / 1e3
            shares = {f'{part} (ms)': value for part, value in sorted(spent.items())}
            yield {'decoder': name, 'precision': precision, 'ms': 1e3 * wall, 'launches': launches} | shares


def fused(setting: Setting) -> Iterable[Row]:
    """One kernel for all layers of a query (LR 120 to x4, the MLP alone), by coordinates of a block and warps."""
    if setting.device.type != 'cuda':
        return
    side, scale, width = 120, 4, 256
    torch.manual_seed(0)
    centers = pixel_centers(side * scale, device=setting.device)
    view = View((side, side), cell_of((side * scale, side * scale)).to(setting.device))
    found = GridQueries(centers, centers).neighbors(view, local_ensemble=True)
    table = torch.randn(1, side**2, width, device=setting.device)
    frequency = torch.randn(1, 2 * side**2, width // 2, device=setting.device)
    offset_weight = torch.randn(width, 2, device=setting.device)
    phase = torch.randn(1, width // 2, device=setting.device)
    linear = [nn.Linear(width, width if number < 3 else 3, device=setting.device) for number in range(4)]  # noqa: PLR2004
    layers = [(each.weight.detach(), each.bias.detach()) for each in linear]

    def plain_offsets() -> torch.Tensor:
        rows = gather_pixels(table, found.pixel)
        inputs = functional.relu(rows + functional.linear(found.offset, offset_weight))
        return answer_plainly(inputs, found.weight, layers)

    def plain_waves() -> torch.Tensor:
        tables = [table, *frequency.chunk(2, dim=1)]
        waves = torch.cat([gather_pixels(each, found.pixel) for each in tables], dim=-1)
        return answer_plainly(fourier_features(waves, found.offset, phase[:, None]), found.weight, layers)

    kinds: tuple[tuple[str, Any, Any], ...] = (
        ('LIIF', plain_offsets, lambda dtype: fused_offsets(table, offset_weight, found, layers, dtype)),
        (
            'LTE', plain_waves,
            lambda dtype: fused_waves(table, frequency, phase * math.pi, found, layers, dtype),
        ),
    )  # fmt: skip
    with torch.inference_mode():
        for name, plain, one_kernel in kinds:
            exact = plain()
            for precision, dtype in (('bf16', torch.bfloat16), ('tf32', torch.float32)):
                with in_precision(Plan(device=str(setting.device), precision=precision), setting.device):
                    seconds = setting.seconds_of(plain)
                    error = (plain().float() - exact).abs().max().item()
                row: Row = {'query': name, 'precision': precision}
                yield row | {'kernel': 'plain', 'ms': 1e3 * seconds, 'largest difference': error}
                allow_tf32(True)
                for rows, warps in ((64, 8), (64, 4), (128, 8), (32, 4), (32, 8)):
                    fused_mlp.BLOCKS = dict.fromkeys(fused_mlp.BLOCKS, (rows, warps))
                    try:
                        fast = setting.seconds_of(lambda dtype=dtype, call=one_kernel: call(dtype))  # type: ignore[misc]
                        error = (one_kernel(dtype) - exact).abs().max().item()
                    except Exception as failure:  # noqa: BLE001  too much shared memory, say
                        yield row | {'kernel': f'{rows} by {warps}', 'failed': str(failure)[:200]}
                        continue
                    yield row | {
                        'kernel': f'{rows} by {warps}', 'ms': 1e3 * fast, 'times as fast': seconds / fast,
                        'largest difference': error,
                    }  # fmt: skip
                allow_tf32(False)


STAGES: Mapping[str, Callable[[Setting], Iterable[Row]]] = {
    'inference': inference, 'steps': steps, 'fused': fused, 'training': training, 'chunks': chunks,
    'profiles': profiles, 'processes': processes, 'memory': memory, 'tests': tests, 'compiled': compiled,
}  # fmt: skip


def check(setting: Setting, stages: Iterable[str], folder: Path) -> Path:
    """Run stages one after the other; returns the page. What other stages have found before is kept.

    Args:
        setting: where, and how much.
        stages: keys of `STAGES`.
        folder: where `gpu.json` and `gpu.md` are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data, page = folder / 'gpu.json', folder / 'gpu.md'
    found: dict[str, Any] = json.loads(data.read_text(encoding='utf-8')) if data.exists() else {}
    for stage in stages:
        start = time.perf_counter()
        rows = []
        try:
            for row in STAGES[stage](setting):
                rows.append(row)
                _LOGGER.info(f'{stage}: {_one_line(row)}')
        except Exception as error:
            _LOGGER.exception(f'{stage} failed')
            rows.append({'failed': f'{type(error).__name__}: {str(error)[:300]}'})
        found[stage] = {'machine': _machine(setting), 'seconds': time.perf_counter() - start, 'rows': rows}
        data.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
        page.write_text(describe(found), encoding='utf-8')
    return page


def describe(found: Mapping[str, Any]) -> str:
    """The page of what was found: a table for each stage."""
    lines = ['# On a GPU', '', 'Made by `python -m Orchestrators.gpu_check` out of `gpu.json`.']
    for stage, content in found.items():
        summary = (STAGES[stage].__doc__ or '').strip()
        lines += ['', f'## {stage.capitalize()}', '', summary, '', f'{content["machine"]}; {content["seconds"]:.0f} s.']
        columns = list(dict.fromkeys(name for row in content['rows'] for name in row))
        if columns:
            lines += ['', f'| {" | ".join(columns)} |', f'|{"---|" * len(columns)}']
            lines += [f'| {" | ".join(_cell(row.get(name)) for name in columns)} |' for row in content['rows']]
    return '\n'.join([*lines, ''])


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, float):
        return f'{value:.3g}' if abs(value) < 100 else f'{value:.0f}'  # noqa: PLR2004
    return '' if value is None else str(value).replace('|', '/')


def _one_line(row: Row) -> str:
    return ', '.join(f'{name} {_cell(value)}' for name, value in row.items())


def _machine(setting: Setting) -> str:
    cuda = setting.device.type == 'cuda'
    name = torch.cuda.get_device_name(setting.device) if cuda else platform.machine()
    return (
        f'{name}, {os.cpu_count()} CPU cores, torch {torch.__version__}, version {code_version()}'
        + (', dry run' if setting.dry else '')
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m Orchestrators.gpu_check', description=__doc__)
    parser.add_argument('--stages', nargs='+', choices=STAGES, default=list(STAGES), help='default: all')
    parser.add_argument('--device', default='cuda', help='default: cuda')
    parser.add_argument('--dry', action='store_true', help='on the CPU, at the smallest sizes')
    parser.add_argument('--out', type=Path, default=Path('docs'), help='folder of gpu.json and gpu.md')
    parser.add_argument('--debug', action='store_true', help='show where an error came from')
    return parser.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Run what the arguments ask for."""
    if not arguments.dry and not torch.cuda.is_available():
        raise ValueError('There is no GPU here that torch can use; with --dry the stages run on the CPU.')
    setting = Setting(torch.device('cpu' if arguments.dry else arguments.device), arguments.dry)
    _LOGGER.info(f'Written: {check(setting, arguments.stages, arguments.out)}')


if __name__ == '__main__':
    arguments = _arguments()
    run_command(lambda: main(arguments), show_traceback=arguments.debug)
