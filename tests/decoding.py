"""A decoder's three phases at once, for tests that ask one picture for one set of coordinates."""

from typing import Any

from torch import Tensor

from Models.Decoders.Decoder import Decoder
from Models.Decoders.Queries import Queries, View


def aimed(decoder: Decoder[Any, Any], features: Tensor, lr: Tensor, cell: Tensor) -> Any:
    """What it knows of images and a size."""
    return decoder.aim(decoder.prepare(features, lr), View((lr.shape[2], lr.shape[3]), cell))


def colors_of(decoder: Decoder[Any, Any], features: Tensor, lr: Tensor, coord: Tensor, cell: Tensor) -> Tensor:
    """Normalized colors at scattered coordinates."""
    return decoder.query(aimed(decoder, features, lr, cell), Queries(coord))
