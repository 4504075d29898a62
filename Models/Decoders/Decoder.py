"""What every decoder promises."""

from abc import ABC, abstractmethod
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn


class Decoder(nn.Module, ABC):
    """A network from features to colors at any coordinate, in two phases.

    `prepare` does once per image whatever the coordinates do not change; `query` answers any set of coordinates from
    that context. A decoder keeps no state between the two, so a picture may be asked for in pieces of any size.

    The first argument of a decoder's constructor is the encoder's `feature_dim`; the others are its options.
    """

    @abstractmethod
    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> Any:  # noqa: ANN401
        """Everything that the image alone decides; handed to `query` as it is.

        Args:
            features: the encoder's output.
            lr: the normalized image itself, for decoders that add to an interpolation of it.
        """

    @abstractmethod
    def query(
        self,
        context: Any,  # noqa: ANN401
        coord: Float[Tensor, 'batch queries 2'],
        cell: Float[Tensor, 'batch 2'],
    ) -> Float[Tensor, 'batch queries 3']:
        """Normalized colors at the given coordinates.

        Args:
            context: what `prepare` returned for this image.
            coord: centres of HR pixels as (y, x) in [-1, 1].
            cell: height and width of an HR pixel in the same units, (2 / H, 2 / W).
        """
