"""Fetch data sets from their public addresses, verify and unpack them."""

import argparse
import logging
import re
from difflib import get_close_matches
from pathlib import Path

from Datasets.benchmarks import is_picture
from Datasets.download.extracting import extract
from Datasets.download.fetching import fetch
from Datasets.download.sources import GIB, SOURCES, Archive, Part
from Utilities.command_line import run_command
from Utilities.PathManager import PathManager

_LOGGER = logging.getLogger(__name__)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='python -m Datasets.download', description=__doc__)
    parser.add_argument('names', nargs='*', metavar='name', help=f'{", ".join(SOURCES)}; none: list them')
    parser.add_argument('--folder', type=Path, help='folder of the data sets; default: $ASSR_DATASETS or ./datasets')
    parser.add_argument('--sha256', action='append', default=[], metavar='FILE=HASH', help='what a file must have')
    parser.add_argument('--accept-unpinned', action='store_true', help='take a file whose SHA-256 is not known')
    parser.add_argument('--keep-archives', action='store_true', help='do not delete the archives after unpacking')
    parser.add_argument('--debug', action='store_true', help='show where an error came from')
    return parser.parse_args()


def main(arguments: argparse.Namespace, *, allow_http_to_this_machine: bool = False) -> None:
    """Fetch the data sets that the arguments name; without names, list them.

    Args:
        arguments: of the command.
        allow_http_to_this_machine: for tests.

    Raises:
        ValueError, OSError: in one line, what can't be had and what to do.
    """
    root = arguments.folder or PathManager.dataset_roots()[0]
    if not arguments.names:
        _LOGGER.info('%s', _listing())
        return
    hashes = dict(_pin(text) for text in arguments.sha256)
    missing = _missing(arguments.names, root)
    unpinned = [archive for archive in missing if archive.sha256 is None and archive.file not in hashes]
    if unpinned and not arguments.accept_unpinned:
        raise ValueError(
            f'{unpinned[0].address} has no SHA-256 that this version knows, so what arrives could not be verified. '
            f'Give it, if you know it: --sha256 {unpinned[0].file}=HASH. Or take what arrives: --accept-unpinned; then '
            'the hash that was found is printed.'
        )
    for archive in missing:
        pinned = archive.sha256 or hashes.get(archive.file)
        path = root / '.downloads' / archive.file
        _LOGGER.info('Fetching %s', archive.address)
        found = fetch(
            archive.address,
            path,
            sha256=pinned,
            size_bytes=archive.size_bytes,
            allow_http_to_this_machine=allow_http_to_this_machine,
        )
        if pinned is None:
            _LOGGER.warning('Not verified. To have the same file again: --sha256 %s=%s', archive.file, found)
        count = extract(path, root / archive.folder, max_bytes=archive.max_unpacked_bytes)
        _LOGGER.info('%d files of %s are in %s.', count, archive.file, root / archive.folder)
        if not arguments.keep_archives:
            path.unlink()


def _missing(names: list[str], root: Path) -> list[Archive]:
    """The archives that the named sets still need, each once."""
    archives: dict[str, Archive] = {}
    for name in names:
        source = SOURCES.get(name.lower())
        if source is None:
            close = get_close_matches(name.lower(), SOURCES, n=1)
            hint = f'Did you mean {close[0]}?' if close else f'There are: {", ".join(SOURCES)}.'
            raise ValueError(f'There is no data set {name!r}. {hint}')
        if not source.parts:
            raise ValueError(f'{name} has no public address to fetch it from: see {source.page}. {source.by_hand}')
        for part in source.parts:
            if _is_there(part, root):
                _LOGGER.info('%s is already there.', root / part.folders[0])
            else:
                archives[part.archive.address] = part.archive
    return list(archives.values())


def _is_there(part: Part, root: Path) -> bool:
    folders = [root / folder for folder in part.folders if (root / folder).is_dir()]
    counts = [sum(map(is_picture, folder.iterdir())) for folder in folders]
    return max(counts, default=0) >= part.pictures


def _pin(text: str) -> tuple[str, str]:
    match = re.fullmatch(r'([^=/]+)=([0-9a-fA-F]{64})', text)
    if match is None:
        raise ValueError(f'--sha256 must be FILE=HASH, the hash of 64 hexadecimal digits, got {text!r}.')
    return match[1], match[2].lower()


def _listing() -> str:
    lines = []
    for name, source in SOURCES.items():
        archives = [part.archive for part in source.parts]
        size = sum(archive.size_bytes or 0 for archive in archives)
        known = f'{size / GIB:.1f} GiB, ' if size else ''
        verified = 'verified' if all(archive.sha256 for archive in archives) else 'SHA-256 not known'
        lines.append(f'{name:10} {known + verified if archives else "by hand"}; {source.page}')
    return '\n'.join(lines)


if __name__ == '__main__':
    arguments = _arguments()
    run_command(lambda: main(arguments), show_traceback=arguments.debug)
