"""Which torch may read files that somebody else made."""

import torch

_OLDEST = '2.10'


def refuse_old_torch() -> None:
    """Called before any checkpoint is read.

    Raises:
        ValueError: if torch is one whose `weights_only` can be got around by a file made for it.
    """
    if torch.__version__ < _OLDEST:
        raise ValueError(
            f'torch is {torch.__version__}, whose weights_only lets a checkpoint run code of its own (CVE-2025-32434, '
            'CVE-2026-24747); it must be at least 2.11: pip install --upgrade torch torchvision.'
        )
