"""Aim: a local database, to be looked at with `aim up` in the folder that holds it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from Orchestrators.Training.Trackers.Tracker import Tracker, TrackerError, known_run
from Utilities.images import Pixels


class Aim(Tracker):
    """Writes into `.aim` beside the run's folder, so that the runs there can be compared.

    The run's hash is kept in `aim_run.txt` of its folder, so that a resumed run goes on there as well.
    """

    def __init__(self, folder: Path, samples_seen: int) -> None:
        try:
            import aim  # noqa: PLC0415  optional
        except ImportError as error:
            raise TrackerError(
                f'TrackerType.Aim needs a package that is not there ({error}): pip install aim, or leave it out of '
                'trackers.'
            ) from error
        self._aim = aim
        file = folder / 'aim_run.txt'
        # Without its watching of the machine and the terminal: threads that outlive a stopped run.
        self._run = aim.Run(
            run_hash=known_run(file, samples_seen),
            repo=str(folder.parent),
            system_tracking_interval=None,
            log_system_params=False,
            capture_terminal_logs=False,
        )
        self._run.name = folder.name
        file.write_text(f'{self._run.hash}\n', encoding='utf-8')

    def add_settings(self, settings: Mapping[str, Any]) -> None:
        self._run['configuration'] = dict(settings)

    def add_scalars(self, scalars: Mapping[str, float], samples_seen: int) -> None:
        for name, value in scalars.items():
            self._run.track(value, name=name, step=samples_seen)

    def add_picture(self, name: str, picture: Pixels, samples_seen: int) -> None:
        self._run.track(self._aim.Image(Image.fromarray(picture)), name=name, step=samples_seen)

    def close(self) -> None:
        self._run.close()
