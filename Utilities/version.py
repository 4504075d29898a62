"""Version of this code, and of the torch that may read files that somebody else made."""

import hashlib
import subprocess
from functools import cache
from pathlib import Path

import torch

VERSION = '0.1.0'
_OLDEST_TORCH = '2.10'


@cache
def code_version() -> str:
    """The version, and where git knows it the commit: `0.1.0+1a2b3c4`.

    For changed files `-dirty` and a hash of all our modules stand behind it, so that no two codes have one name.
    """
    try:
        described = subprocess.run(
            ['git', 'describe', '--always', '--dirty', '--abbrev=7', '--exclude=*'],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return f'{VERSION}+{_hash_of_modules()}'
    commit = described.stdout.strip()
    return f'{VERSION}+{commit}' + f'-{_hash_of_modules()}' * commit.endswith('-dirty')


def _hash_of_modules() -> str:
    """Of everything but the scripts in the root, which are menus."""
    root, digest = Path(__file__).parent.parent, hashlib.sha256()
    for file in sorted(root.glob('[A-Z]*/**/*.py')):
        digest.update(f'{file.relative_to(root).as_posix()}\n'.encode() + file.read_bytes())
    return digest.hexdigest()[:7]


def refuse_old_torch() -> None:
    """Called before any checkpoint is read.

    Raises:
        ValueError: if torch is one whose `weights_only` can be got around by a file made for it.
    """
    if torch.__version__ < _OLDEST_TORCH:
        raise ValueError(
            f'torch is {torch.__version__}, whose weights_only lets a checkpoint run code of its own (CVE-2025-32434, '
            'CVE-2026-24747); it must be at least 2.11: pip install --upgrade torch torchvision.'
        )
