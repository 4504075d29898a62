"""Memory does not grow with the result: beyond input, features and result, a larger picture takes what a small one does."""

import pytest
import torch

from Models import DecoderType, EncoderType
from tests.tiny_networks import tiny
from Utilities.live_memory import LiveMemory

SMALL, LARGE = 2, 12
LR_SIZE = (24, 24)
CHUNK = 128


def working_bytes(decoder: DecoderType, scale: int, **options: object) -> int:
    """Most that is in use at once while a picture is made, without the picture."""
    model = tiny(EncoderType.EDSR, decoder, **options)
    lr = torch.rand(1, 3, *LR_SIZE, generator=torch.Generator().manual_seed(0))
    with LiveMemory() as memory:
        sr = model.upscale(lr, (LR_SIZE[0] * scale, LR_SIZE[1] * scale), queries_per_chunk=CHUNK)
    assert sr.isfinite().all()
    assert memory.now >= sr.nbytes
    return memory.peak - sr.nbytes


@pytest.mark.parametrize('decoder', [decoder for decoder in DecoderType if decoder.name not in ('Native', 'CLIT')])
def test_memory_is_flat(decoder: DecoderType) -> None:
    small, large = (working_bytes(decoder, scale) for scale in (SMALL, LARGE))
    assert large <= 1.1 * small + 2**16
