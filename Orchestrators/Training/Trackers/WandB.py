"""Weights & Biases. Its own environment variables hold: WANDB_MODE, WANDB_PROJECT, WANDB_ENTITY, WANDB_API_KEY."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from Orchestrators.Training.Trackers.Tracker import Tracker, TrackerError, known_run
from Utilities.images import Pixels

_LOGGER = logging.getLogger(__name__)
_PROJECT = 'super-resolution'
"""Where runs go unless WANDB_PROJECT says otherwise."""


class WandB(Tracker):
    """Sends a run to Weights & Biases, or keeps it in the run's folder with WANDB_MODE=offline.

    The id is kept in `wandb_run.txt` of the run's folder, so that a resumed run goes on there as well. It never asks
    for a key.
    """

    def __init__(self, folder: Path, samples_seen: int) -> None:
        try:
            import wandb  # noqa: PLC0415  optional
        except ImportError as error:
            raise TrackerError(
                f'TrackerType.WandB needs a package that is not there ({error}): pip install wandb, or leave it out of '
                'trackers.'
            ) from error
        self._wandb = wandb
        file = folder / 'wandb_run.txt'
        try:
            if wandb.setup().settings.mode in (None, 'online', 'shared') and not wandb.login(prompt=False):
                raise TrackerError(
                    'TrackerType.WandB has no key: run `wandb login` once, or set the environment variable '
                    'WANDB_MODE=offline to keep the run on the disk.'
                )
            self._run = wandb.init(
                project=os.environ.get('WANDB_PROJECT', _PROJECT),
                name=folder.name,
                id=known_run(file, samples_seen),
                resume='allow',
                dir=folder,
                # The terminal belongs to our log and progress bar.
                settings=wandb.Settings(console='off', silent=True),
            )
        except wandb.Error as error:
            raise TrackerError(
                f'TrackerType.WandB could not start: {error}. With the environment variable WANDB_MODE=offline it '
                'keeps the run on the disk.'
            ) from error
        file.write_text(f'{self._run.id}\n', encoding='utf-8')
        # Its own count of steps can't go back, as a resumed run may.
        self._run.define_metric('samples_seen')
        self._run.define_metric('*', step_metric='samples_seen')
        if not self._run.offline:
            _LOGGER.info(f'Weights & Biases shows this run at {self._run.url}.')

    def add_settings(self, settings: Mapping[str, Any]) -> None:
        self._run.config.update(dict(settings), allow_val_change=True)

    def add_scalars(self, scalars: Mapping[str, float], samples_seen: int) -> None:
        self._run.log({'samples_seen': samples_seen, **scalars})

    def add_picture(self, name: str, picture: Pixels, samples_seen: int) -> None:
        self._run.log({'samples_seen': samples_seen, name: self._wandb.Image(picture)})

    def close(self) -> None:
        self._run.finish()
