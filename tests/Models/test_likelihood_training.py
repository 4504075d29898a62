"""A decoder that says so trains by its own likelihood, through the same script as the others."""

import logging
import math

import pytest
import torch

from Configuration import Options
from Models import DecoderType, EncoderType
from Models.Decoders.Queries import Queries
from Orchestrators.Pipelines.SuperResolution import build_step
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PictureMaker
from tests.decoding import aimed
from tests.tiny import TrainTiny
from tests.tiny_networks import tiny

LINF = {'hidden_dim': 16, 'hidden': (16,), 'flow_layers': 2}


def test_given_true_colors_the_network_answers_with_its_loss(random: torch.Generator) -> None:
    """The likelihood of what normalized colors add to the normalized, interpolated image."""
    model = tiny(EncoderType.EDSR, DecoderType.LINF)
    lr, coord, hr = (torch.rand(2, *shape, generator=random) for shape in ((3, 5, 6), (40, 2), (40, 3)))
    coord, cell = 2 * coord - 1, torch.tensor([[0.1, 0.1], [0.2, 0.1]])
    skip = torch.nn.functional.grid_sample(lr, coord.flip(-1)[:, None], padding_mode='border', align_corners=False)
    texture = 2 * (hr - skip[:, :, 0].transpose(1, 2))  # [0, 1] is mapped to [-1, 1]
    ready = aimed(model.decoder, model.encoder(2 * lr - 1), 2 * lr - 1, cell)
    expected = -model.decoder.log_likelihood(ready, Queries(coord), texture).mean()  # type: ignore[operator]
    torch.testing.assert_close(model(lr, coord, cell, hr), expected)


def test_other_decoders_have_no_loss_of_their_own(random: torch.Generator) -> None:
    model = tiny(EncoderType.EDSR, DecoderType.LIIF)
    coord, cell = torch.zeros(1, 1, 2), torch.full((1, 2), 0.1)
    with pytest.raises(ValueError, match='LIIF has no loss of its own'):
        model(torch.rand(1, 3, 4, 4, generator=random), coord, cell, torch.rand(1, 1, 3, generator=random))


def test_patches_are_refused_before_the_first_batch() -> None:
    recipe = TrainTiny(decoder=DecoderType.LINF, decoder_options=Options(LINF | {'patch_size': 3}))
    message = 'decoder_options: LINF with patch_size = 3 .* no sampling gives'
    with pytest.raises(ValueError, match=message):
        build_step(recipe, torch.device('cpu'))


def test_a_run_makes_the_colors_more_likely(make_pictures: PictureMaker, caplog: pytest.LogCaptureFixture) -> None:
    """Its epoch lines have no training PSNR; what it learns by is named, once."""
    make_pictures()
    recipe = TrainTiny(decoder=DecoderType.LINF, decoder_options=Options(LINF), epochs=2, validate_every=2)
    with caplog.at_level(logging.INFO):
        TrainingOrchestrator(recipe).train()
    lines = [line for line in caplog.messages if line.startswith('Epoch ')]
    losses = [float(line.split('loss ')[1].split(',')[0]) for line in lines]
    assert losses[1] < losses[0] < math.inf
    assert 'PSNR' not in lines[0]
    assert [line for line in caplog.messages if 'The loss is' in line] == ['The loss is Own.']
