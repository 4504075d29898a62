"""Processes that work together on this machine, as torchrun would start them, each in a folder of its own."""

import json
import multiprocessing
import os
import signal
import socket
from pathlib import Path
from typing import Any

import torch

from Configuration import BaseTestingConfiguration, Options
from Models import QualityType
from Orchestrators.Steps.ReconstructionStep import ReconstructionStep
from Orchestrators.Steps.TrainingStep import TrainingStep
from Orchestrators.TestingOrchestrator import TestingOrchestrator
from Orchestrators.Training.Run import Run
from Orchestrators.Training.Validation import Validation
from tests.conftest import PATIENCE
from tests.tiny import train_in_process
from tests.tiny_networks import tiny
from Utilities.Checkpoint import content_hash
from Utilities.distributed import Ranks

forks = multiprocessing.get_context('forkserver')
forks.set_forkserver_preload(['tests.warm'])


CLIT = Options(stages=2, base_dim=8, head=2, r=1, hidden=(16,), enc_dims=8, scale_per_stage=1.5)


def run_ranks(action: Any, folders: list[Path], **settings: Any) -> list[int | None]:
    """Let as many processes as there are folders do an action together; returns their exit codes."""
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        port = found.getsockname()[1]
    processes = []
    for rank, folder in enumerate(folders):
        environment = {
            'RANK': str(rank), 'LOCAL_RANK': str(rank), 'WORLD_SIZE': str(len(folders)),
            'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port),
        }  # fmt: skip
        processes.append(forks.Process(target=_act, args=(environment, action, folder, settings)))
        processes[-1].start()
    for process in processes:
        process.join(PATIENCE)
        process.kill()
    return [process.exitcode for process in processes]


def _act(environment: dict[str, str], action: Any, folder: Path, settings: dict[str, Any]) -> None:
    os.environ.update(environment)
    torch.set_num_threads(1)
    os.chdir(folder)
    action(folder, **settings)


def train(folder: Path, **settings: Any) -> None:
    """Train, and write down what the weights are after each epoch."""
    end_epoch = TrainingStep.end_epoch

    def end_and_tell(step: TrainingStep, score: float | None) -> None:
        end_epoch(step, score)
        with (folder / 'told.txt').open('a') as file:
            file.write(f'{content_hash(step.learners["super_resolver"].network.state_dict())} {score}\n')

    TrainingStep.end_epoch = end_and_tell  # type: ignore[method-assign]
    train_in_process(folder, folder / 'output.txt', settings)


def train_with_stop(folder: Path, *, after: int, number: int = signal.SIGTERM, **settings: Any) -> None:
    """Train; a signal comes to the second process alone, in a batch."""
    run, batches = TrainingStep.learn_from, iter(range(1, 1000))

    def run_and_stop(*arguments: Any) -> Any:
        result = run(*arguments)
        if next(batches) == after and os.environ['RANK'] == '1':
            os.kill(os.getpid(), number)
        return result

    TrainingStep.learn_from = run_and_stop  # type: ignore[method-assign]
    train_in_process(folder, folder / 'output.txt', settings)


def train_on_bad_numbers(folder: Path, *, at: int, **settings: Any) -> None:
    """Train; the second process alone gets a loss that is no number."""
    compare, batches = ReconstructionStep.compare, iter(range(1, 1000))

    def compare_badly(*arguments: Any) -> Any:
        loss, scalars = compare(*arguments)
        return loss * float('nan' if next(batches) == at and os.environ['RANK'] == '1' else 1), scalars

    ReconstructionStep.compare = compare_badly  # type: ignore[method-assign]
    train_in_process(folder, folder / 'output.txt', settings)


def score_twice(folder: Path, **settings: Any) -> None:
    """Test twice in one process, and write down the rows."""
    rows = [TestingOrchestrator(BaseTestingConfiguration(**settings)).test() for _ in range(2)]
    (folder / 'rows.json').write_text(json.dumps(rows))


def validate(folder: Path, **settings: Any) -> None:
    """Validate a tiny network, and write down the result."""
    device, ranks = torch.device('cpu'), Ranks.from_environment()
    with ranks.joined(device), Run.start(folder / 'run', device, ranks) as run:
        validation = Validation('pictures', (2, 3), None, 2, QualityType.PSNR, run)
        network = tiny(**settings)
        result = validation.validate(network, 1, 0, lambda: False)
    (folder / 'result.json').write_text(json.dumps(result.scalars()))
