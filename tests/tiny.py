"""A recipe that takes seconds, and a process that trains it, to be killed at will."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from Configuration import MultiStep, Options, TrainSimple
from Models import RecipeType
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from Utilities.command_line import run_command


class TrainTiny(TrainSimple):
    """Three small pictures, three steps per epoch."""

    recipe: RecipeType | str = 'Tiny'
    train_data = 'pictures'
    valid_data = 'pictures'
    valid_scales = (2,)
    valid_examples = 1
    encoder_options = Options(n_resblocks=1, n_feats=8)
    decoder_options = Options(hidden=(16,))
    input_patch = 8
    scale_range = (1, 2)
    repeat = 4
    batch_size = 4
    epochs = 4
    schedule = MultiStep((2,))
    learning_rate = 1e-2
    trackers = ()
    curves = False
    sample_pictures = 0
    device = 'cpu'


def train_in_process(
    folder: Path, output: Path, settings: dict[str, Any], prepare: Callable[[], None] | None = None
) -> None:
    """Run as a script would, in a folder, with the terminal's text in a file."""
    import torch

    # As in a script on Linux, where workers are forked; from here they would be started anew, which takes seconds.
    multiprocessing.set_start_method('fork', force=True)
    os.setpgid(0, 0)
    signal.alarm(900)  # A test that fails leaves no process behind.
    os.chdir(folder)
    torch.set_num_threads(1)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    if prepare is not None:
        prepare()
    run_command(lambda: TrainingOrchestrator(TrainTiny(**settings)).train() and None, show_traceback=False)
