"""Super-resolve your own pictures: `python upscale.py photo.png --scale 3.7`."""

import argparse

from Orchestrators.Prediction.upscaling import parse_size, upscale_files
from Utilities.command_line import run_command


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('pictures', nargs='+', help='picture files, or folders of them')
    parser.add_argument('--scale', type=float, help='factor on width and height, such as 3.7')
    parser.add_argument('--size', help='width x height of the result in pixels, such as 1200x800')
    parser.add_argument('--checkpoint', help='network to use; default: the model_states_*_best.pth of this folder')
    parser.add_argument('--output', help='PNG or TIFF file, or a folder; default: <name>_sr.png beside the picture')
    parser.add_argument('--overwrite', action='store_true', help='replace results that exist')
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda, cuda:1, ...')
    parser.add_argument('--max-memory', type=int, help='MiB to do it in; larger pictures are made in tiles')
    parser.add_argument('--debug', action='store_true', help='show where an error came from')
    return parser.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Upscale the pictures that the arguments name."""
    upscale_files(
        arguments.pictures,
        scale=arguments.scale,
        size=parse_size(arguments.size) if arguments.size else None,
        checkpoint=arguments.checkpoint,
        output=arguments.output,
        overwrite=arguments.overwrite,
        device=arguments.device,
        max_memory=arguments.max_memory,
    )


if __name__ == '__main__':
    arguments = _arguments()
    run_command(lambda: main(arguments), show_traceback=arguments.debug)
