"""What needs a GPU: the same pictures as on the CPU, and training that learns and resumes there."""

import pytest
import torch

from Models import DecoderType, EncoderType, SavedModelType
from Models.build import build_super_resolver
from Orchestrators.Prediction.file_names import checkpoint_path
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PictureMaker
from tests.tiny import TrainTiny
from tests.tiny_steps import tiny_batch, tiny_step
from Utilities.Checkpoint import Checkpoint

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU here'),
]


def test_a_picture_is_the_same_on_gpu_and_cpu(random: torch.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cuda.matmul, 'allow_tf32', False)
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)
    torch.manual_seed(0)
    model = build_super_resolver(EncoderType.EDSR, DecoderType.LIIF)
    lr = torch.rand(1, 3, 40, 50, generator=random)
    expected = model.upscale(lr, (131, 150))
    found = model.cuda().upscale(lr.cuda(), (131, 150)).cpu()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_a_run_on_a_gpu_learns_and_resumes(make_pictures: PictureMaker) -> None:
    make_pictures()
    for epochs in (2, 4):
        TrainingOrchestrator(TrainTiny(device='cuda', epochs=epochs, workers=1)).train()
    progress = Checkpoint.load(checkpoint_path(TrainTiny(), SavedModelType.Last, '.')).progress
    assert (progress['epoch'], progress['samples_seen']) == (4, 48)
    assert progress['best'][0] > 15


# CLIT has to know how large the pictures are that it is asked for.
@pytest.mark.parametrize('decoder', [decoder for decoder in DecoderType if decoder is not DecoderType.CLIT])
@pytest.mark.parametrize('precision', ['float32', 'bfloat16', 'float16'])
def test_a_step_does_not_wait_for_the_gpu(decoder: DecoderType, precision: str) -> None:
    """As torch itself sees it."""
    settings = {'accumulate': 2, 'clip_gradient': 0.1, 'ema_decay': 0.9, 'channels_last': True}
    step = tiny_step(decoder=decoder, fused=True, device='cuda', batches=100, precision=precision, **settings)
    batches = [tiny_batch(seed=seed).to(torch.device('cuda')) for seed in range(8)]
    for batch in batches[:4]:
        step.learn_from(batch)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode('error')
    try:
        for batch in batches[4:]:
            step.learn_from(batch)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    step.settle()
