"""Super-resolve your own pictures: `python upscale.py photo.png --scale 3.7`."""

import argparse

from Orchestrators.Prediction.upscaling import parse_scale, parse_size, upscale_files
from Utilities.command_line import run_command


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('pictures', nargs='+', help="picture files, folders of them, or patterns such as '*.png'")
    parser.add_argument('--scale', help='factor on width and height, such as 3.7')
    parser.add_argument('--size', help='width x height of the result in pixels, such as 1200x800')
    parser.add_argument('--checkpoint', help='network to use; default: the model_states_*_best.pth of this folder')
    parser.add_argument('--output', help='PNG or TIFF file, or a folder; default: <name>_sr.png beside the picture')
    parser.add_argument('--overwrite', action='store_true', help='replace results that exist')
    parser.add_argument('--skip-existing', action='store_true', help='make only the results that are missing')
    parser.add_argument('--recursive', action='store_true', help='take the pictures of subfolders too')
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda, cuda:1, ...')
    parser.add_argument('--max-memory', type=int, help='MiB to do it in; larger pictures are made in tiles')
    parser.add_argument(
        '--max-image-pixels', type=int, default=100_000_000, help='larger inputs are refused; %(default)s'
    )
    parser.add_argument('--debug', action='store_true', help='show where an error came from')
    return parser.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Upscale the pictures that the arguments name."""
    upscale_files(
        arguments.pictures,
        scale=None if arguments.scale is None else parse_scale(arguments.scale),
        size=None if arguments.size is None else parse_size(arguments.size),
        checkpoint=arguments.checkpoint,
        output=arguments.output,
        overwrite=arguments.overwrite,
        skip_existing=arguments.skip_existing,
        recursive=arguments.recursive,
        device=arguments.device,
        max_memory=arguments.max_memory,
        max_image_pixels=arguments.max_image_pixels,
    )


if __name__ == '__main__':
    arguments = _arguments()
    run_command(lambda: main(arguments), show_traceback=arguments.debug)
