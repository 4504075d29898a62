"""TensorBoard: events in the run's folder, to be looked at with `tensorboard --logdir .`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from Orchestrators.Training.Trackers.Tracker import Tracker, TrackerError
from Utilities.images import Pixels


class TensorBoard(Tracker):
    """Writes TensorBoard's events."""

    def __init__(self, folder: Path, samples_seen: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  slow to import, and optional
        except ImportError as error:
            raise TrackerError(
                f'TrackerType.TensorBoard needs a package that is not there ({error}): pip install tensorboard, or '
                'leave it out of trackers.'
            ) from error
        # A run that goes on from an earlier point: what lies behind that point is no longer shown.
        self._writer = SummaryWriter(log_dir=str(folder), purge_step=samples_seen + 1 if samples_seen else 0)
        self._samples_seen = samples_seen

    def add_settings(self, settings: Mapping[str, Any]) -> None:
        # Indented by four, which Markdown shows as it is.
        text = ''.join(f'    {line}\n' for line in json.dumps(settings, indent=2).splitlines())
        self._writer.add_text('configuration', text, self._samples_seen)

    def add_scalars(self, scalars: Mapping[str, float], samples_seen: int) -> None:
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, samples_seen)

    def add_picture(self, name: str, picture: Pixels, samples_seen: int) -> None:
        self._writer.add_image(name, picture, samples_seen, dataformats='HWC')

    def close(self) -> None:
        self._writer.close()
