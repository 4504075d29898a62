"""From a published file to one of our checkpoints, which `test.py` and `upscale.py` take."""

import hashlib
import logging
from pathlib import Path

from Models.published_checkpoints.files import read_published
from Models.published_checkpoints.PublishedNetwork import load_weights
from Utilities.Checkpoint import Checkpoint
from Utilities.PathManager import PathManager

RECIPE = 'Published'
"""Stands in file names where trained networks have their recipe."""

_LOGGER = logging.getLogger(__name__)


def convert(file: Path, out: Path | None = None, *, overwrite: bool = False) -> Path:
    """Read a published file, build its network, and write it as a checkpoint of ours.

    Args:
        file: of any layout that `read_published` knows.
        out: the file to write, or a folder for the documented name. None: that name in this folder.
        overwrite: replace a file that exists; it is kept as `<name>.prev`.

    Returns:
        The file written.

    Raises:
        ValueError, OSError: if the file is unknown, unreadable or does not fit its network, or the result exists.
    """
    found = read_published(file)
    published = found.network
    _LOGGER.info('%s: layout %s, network %s', file, found.layout, published.name)
    path = PathManager.GetModelSavePath(
        published.encoder,
        published.decoder,
        RECIPE,
        published.input_patch,
        published.scale_range,
        'best',
        out if out is not None and out.is_dir() else '.',
    )
    if out is not None and not out.is_dir():
        path = out
    if not path.parent.is_dir():
        raise ValueError(f'There is no folder {path.parent} to write {path.name} into.')
    if path.exists() and not overwrite:
        raise ValueError(f'{path} exists. Name another file with --out, or give --overwrite to replace it.')
    network = published.build()
    report = load_weights(network, found.state, published.keys)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    _LOGGER.info('%s; %d parameters', report, parameters)
    if found.ignored:
        _LOGGER.info('No part of the network: %d weights, such as %s', len(found.ignored), found.ignored[0])
    for remark in published.remarks:
        _LOGGER.warning('%s', remark)
    Checkpoint(
        configuration={
            'encoder': published.encoder.name,
            'decoder': published.decoder.name,
            'encoder_options': _plain(published.encoder_options),
            'decoder_options': _plain(published.decoder_options),
            'recipe': RECIPE,
            'input_patch': published.input_patch,
            'scale_range': list(published.scale_range),
            'converted_from': {'file': file.name, 'layout': found.layout, 'sha256': _sha256(file)},
        },
        network=network.state_dict(),
        progress={'epoch': found.epoch, 'samples_seen': 0},
    ).save(path)
    _LOGGER.info('Wrote %s', path)
    return path


def _plain(options: object) -> object:
    """Mappings and sequences as dictionaries and lists."""
    if isinstance(options, dict):
        return {key: _plain(value) for key, value in options.items()}
    return [_plain(value) for value in options] if isinstance(options, list | tuple) else options


def _sha256(file: Path) -> str:
    with file.open('rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()
