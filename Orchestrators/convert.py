"""Convert a published checkpoint into one that test.py and upscale.py take."""

import argparse
from pathlib import Path

from Orchestrators.Prediction.conversion import convert
from Utilities.command_line import run_command


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m Orchestrators.convert', description=__doc__)
    parser.add_argument(
        'file',
        type=Path,
        help='checkpoint of LIIF, LTE, SRNO, LINF, CLIT, HIIF, CiaoSR, mmagic, BasicSR, traiNNer, SwinIR or '
        'INR-ASSR-Emperical-Analysis',
    )
    parser.add_argument('--out', type=Path, help='file to write, or its folder; default: the documented name, here')
    parser.add_argument('--overwrite', action='store_true', help='replace a result that exists')
    parser.add_argument('--debug', action='store_true', help='show where an error came from')
    return parser.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Convert the file that the arguments name."""
    convert(arguments.file, arguments.out, overwrite=arguments.overwrite)


if __name__ == '__main__':
    arguments = _arguments()
    run_command(lambda: main(arguments), show_traceback=arguments.debug)
