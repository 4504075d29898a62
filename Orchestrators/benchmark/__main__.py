"""Speed and memory of our networks against the published algorithms written plainly (`naive.py`)."""

import argparse
from pathlib import Path

from Models.DecoderType import DecoderType
from Orchestrators.benchmark.Plan import COMPARED, PARTS, Plan
from Orchestrators.benchmark.running import run
from Utilities.command_line import run_command


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m Orchestrators.benchmark', description=__doc__)
    names = [member.name for member in COMPARED]
    parser.add_argument('--decoders', nargs='+', choices=names, default=names, help='default: all')
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=PARTS, help='what to measure; default: all')
    parser.add_argument('--full', action='store_true', help='LR sides 64 to 512 at scales 2 to 12: hours on a CPU')
    parser.add_argument('--lr', nargs='+', type=int, metavar='SIDE', help='LR sides instead of those of the plan')
    parser.add_argument('--scales', nargs='+', type=float, metavar='SCALE', help='scales instead of those of the plan')
    parser.add_argument('--batch', type=int, help='of a training step; default: 16 for LIIF and LTE, else 4')
    parser.add_argument('--alternations', type=int, default=7, help='how often each side is timed; default: 7')
    parser.add_argument('--threads', type=int, default=1, help='of torch on the CPU; default: 1')
    parser.add_argument('--device', default='cpu', help='cpu (default) or a GPU such as cuda')
    parser.add_argument('--precision', choices=('fp32', 'tf32', 'bf16'), default='fp32', help='of both sides')
    parser.add_argument('--compile', action='store_true', help='our side through torch.compile')
    parser.add_argument('--out', type=Path, default=Path('docs'), help='folder of benchmarks.md and benchmarks.png')
    parser.add_argument('--debug', action='store_true', help='show where an error came from')
    return parser.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Measure what the arguments ask for, and write it down."""
    plan = Plan(
        decoders=tuple(DecoderType[name] for name in arguments.decoders),
        parts=tuple(arguments.parts),
        full=arguments.full,
        lr_sides=tuple(arguments.lr or ()),
        scales=tuple(arguments.scales or ()),
        batch=arguments.batch,
        alternations=arguments.alternations,
        threads=arguments.threads,
        device=arguments.device,
        precision=arguments.precision,
        compile=arguments.compile,
    )
    run(plan, arguments.out)


if __name__ == '__main__':
    arguments = _arguments()
    run_command(lambda: main(arguments), show_traceback=arguments.debug)
