"""Which code this is."""

import subprocess
from functools import cache
from pathlib import Path

VERSION = '0.1.0'


@cache
def code_version() -> str:
    """The version, and where git knows it the commit: `0.1.0+1a2b3c4`, with `-dirty` behind it for changed files."""
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
        return VERSION
    return f'{VERSION}+{described.stdout.strip()}'
