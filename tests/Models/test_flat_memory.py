"""Beyond input, features and result, a larger picture takes no more memory than a small one.

Native is left out: it has one scale, and its features are the picture.
"""

import pytest
import torch

from Models import DecoderType, EncoderType
from Orchestrators.Prediction.live_memory import LiveMemory
from tests.tiny_networks import tiny

LR_SIZE = (6, 7)
CHUNK = 84


def working_bytes(decoder: DecoderType, scale: int) -> int:
    """Most that is in use at once while a picture is made, without the picture."""
    model = tiny(EncoderType.EDSR, decoder)
    lr = torch.rand(1, 3, *LR_SIZE, generator=torch.Generator().manual_seed(0))
    with LiveMemory() as memory:
        sr = model.upscale(lr, (LR_SIZE[0] * scale, LR_SIZE[1] * scale), queries_per_chunk=CHUNK)
    assert memory.now >= sr.nbytes
    return memory.peak - sr.nbytes


@pytest.mark.parametrize('decoder', [decoder for decoder in DecoderType if decoder is not DecoderType.Native])
def test_memory_does_not_grow_with_the_result(decoder: DecoderType) -> None:
    # Coordinates along the two sides are held whole: some hundred bytes here.
    assert working_bytes(decoder, 12) <= 1.1 * working_bytes(decoder, 2) + 4096


def test_a_result_on_the_host_is_held_once() -> None:
    model = tiny(EncoderType.EDSR, DecoderType.LIIF)
    lr = torch.rand(1, 3, 4, 4)
    with LiveMemory() as memory:
        sr = model.upscale(lr, (300, 300), queries_per_chunk=500)
    assert memory.peak < 1.5 * sr.nbytes
