"""Every recipe trains, on tiny pictures and networks, and a stop in the middle of it leaves no trace."""

import dataclasses
import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest

import Configuration
from Configuration.schedules import Cosine, CosineRestarts, Cyclic, MultiStep, OneCycle, ReduceOnPlateau, Schedule
from Configuration.TrainingConfiguration import LossTerm, TrainingConfiguration
from Models import DecoderType, LossType, RecipeType, SamplingType, SavedModelType
from Orchestrators.Prediction.file_names import checkpoint_path
from Orchestrators.Steps.ReconstructionStep import ReconstructionStep
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PictureMaker
from tests.tiny import TrainTiny
from tests.tiny_networks import DECODERS, ENCODERS
from Utilities.Checkpoint import Checkpoint, content_hash

STEPS_PER_EPOCH = 3


def tiny_version(name: str, decoder: DecoderType, **settings: Any) -> TrainingConfiguration:
    """The recipe, with its losses, sampling, schedule and scales, on what takes milliseconds."""
    recipe: type[TrainingConfiguration] = getattr(Configuration, f'Train{name}')
    whole = recipe()
    schedule: Schedule = dataclasses.replace(whole.schedule, warmup=min(whole.schedule.warmup, 1))
    if isinstance(schedule, CosineRestarts):
        schedule = dataclasses.replace(schedule, first_period=1)
    return recipe(
        **{
            'decoder': decoder,
            'encoder_options': ENCODERS['EDSR'],
            'decoder_options': DECODERS[decoder.name],
            'train_data': 'pictures',
            'valid_data': 'pictures',
            'valid_scales': (2,),
            'valid_examples': 1,
            'input_patch': 6,  # x6 of it fits into the pictures.
            'repeat': 4,
            'batch_size': 4,
            'epochs': 2,
            'validate_every': 2,
            'sample_pictures': 0,
            'trackers': (),
            'curves': False,
            'device': 'cpu',
        }
        | {'schedule': schedule}
        | settings
    )


def train(recipe: TrainingConfiguration) -> str:
    """Fingerprint of everything that training produced."""
    TrainingOrchestrator(recipe).train()
    last = Checkpoint.load(checkpoint_path(recipe, SavedModelType.Last, recipe.save_path))
    assert last.progress['epoch'] == recipe.epochs
    return content_hash([last.network, last.learners, last.progress, last.rng])


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C during a step, once."""
    taken = []
    run = ReconstructionStep.learn_from

    def run_and_count(self: ReconstructionStep, batch: Any, *more: Any) -> Any:
        taken.append(batch)
        if len(taken) == steps:
            os.kill(os.getpid(), signal.SIGINT)
        return run(self, batch, *more)

    monkeypatch.setattr(ReconstructionStep, 'learn_from', run_and_count)


def check_resuming(
    recipe: TrainingConfiguration, again: TrainingConfiguration, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = train(recipe)
    stop_after(steps, monkeypatch)
    with pytest.raises(SystemExit) as stopped:
        train(again)
    assert stopped.value.code == 130
    assert train(again) == expected


@pytest.mark.parametrize('decoder', [DecoderType.LIIF, DecoderType.LTE])
@pytest.mark.parametrize('name', [member.name for member in RecipeType])
def test_a_recipe_runs_and_resumes(
    name: str,
    decoder: DecoderType,
    make_pictures: PictureMaker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two epochs; stopped in the middle of the second, bit for bit as if never stopped; each loss term in the log."""
    make_pictures()
    caplog.set_level(logging.INFO)
    recipe = tiny_version(name, decoder, save_path='undisturbed')
    check_resuming(recipe, tiny_version(name, decoder), STEPS_PER_EPOCH + 1, monkeypatch)
    # Once by the undisturbed run and once by the stopped one, which said the same of the loss.
    lines = [line.partition(', PSNR')[0] for line in caplog.messages if line.startswith('Epoch 1/2')]
    assert len(lines) == 2
    assert lines[0] == lines[1]
    check_loss_terms(recipe, caplog.messages, lines[0])


def check_loss_terms(recipe: TrainingConfiguration, messages: list[str], line: str) -> None:
    """Each term stands in the log: all by name and weight before the start, and by value where there are several."""
    (announced,) = {message for message in messages if message.startswith('The loss is ')}
    losses = recipe.losses or (LossTerm(LossType.PixelL1),)
    for term in losses:
        assert term.loss.name in announced
        assert term.weight == 1 or f'{term.weight:g} x {term.loss.name}' in announced
    values = {name: float(value) for name, value in (part.split() for part in line.partition(': ')[2].split(', '))}
    terms = losses if len(losses) > 1 else ()
    assert list(values) == ['loss', *(term.loss.name for term in terms)]
    if terms:
        total = sum(term.weight * values[term.loss.name] for term in terms)
        assert values['loss'] == pytest.approx(total, abs=2e-4)  # The log has four digits.
    assert values['loss'] > 0


@pytest.mark.parametrize(
    'schedule',
    [
        OneCycle(),
        Cyclic(),
        ReduceOnPlateau(),
        MultiStep((2, 4), counted='updates'),
        Cosine(warmup=2, counted='updates'),
        ReduceOnPlateau(patience=0, warmup=2, counted='updates'),
    ],
    ids=repr,
)
@pytest.mark.parametrize('sampling', [SamplingType.Window, SamplingType.Crop])
def test_other_schedules_and_samplings_run_and_resume(
    schedule: Schedule, sampling: SamplingType, make_pictures: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pictures()
    settings: dict[str, Any] = {'schedule': schedule, 'sampling': sampling, 'validate_every': 1}
    recipe = tiny_version('GradLoss', DecoderType.LIIF, save_path='undisturbed', **settings)
    again = tiny_version('GradLoss', DecoderType.LIIF, **settings)
    check_resuming(recipe, again, STEPS_PER_EPOCH, monkeypatch)


def test_other_epochs_are_refused_where_they_would_be_other_rates(make_pictures: PictureMaker) -> None:
    make_pictures()
    train(TrainTiny(epochs=1, schedule=Cosine()))
    with pytest.raises(ValueError, match='epochs: 1 in the file, 2 in the recipe'):
        train(TrainTiny(epochs=2, schedule=Cosine()))


def test_pixels_in_a_window_are_learned_as_well_as_scattered_ones(
    make_pictures: PictureMaker, caplog: pytest.LogCaptureFixture
) -> None:
    """The loss is the same number, so a window of the right pixels must bring it down too."""
    make_pictures()
    caplog.set_level(logging.INFO)
    for sampling in SamplingType:
        caplog.clear()
        train(TrainTiny(sampling=sampling, epochs=6, validate_every=6, save_path=sampling.name))
        losses = [float(line.split('loss ')[1].split(',')[0]) for line in caplog.messages if line.startswith('Epoch')]
        assert losses[-1] < 0.7 * losses[0], sampling
        assert Path(sampling.name).is_dir()
