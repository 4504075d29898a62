"""What every decoder promises."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, Generic, TypeVar, cast

from jaxtyping import Float
from torch import Tensor, nn

from Models.Decoders.Queries import Queries, View

Color = tuple[float, float, float]

Prepared = TypeVar('Prepared')
"""What a decoder makes of an image."""

Aimed = TypeVar('Aimed')
"""What it makes of that for one size."""


@dataclasses.dataclass(frozen=True)
class Normalization:
    """Encoder and decoder see (image - mean) / std, and the decoder's colors are mapped back.

    Most published INR networks map [0, 1] to [-1, 1].

    Raises:
        ValueError: if these are not three numbers each, or a deviation is not above 0.
    """

    image_mean: Sequence[float] = (0.5, 0.5, 0.5)
    image_std: Sequence[float] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        for setting in ('image_mean', 'image_std'):
            value = getattr(self, setting)
            if len(value) != 3:
                raise ValueError(f'{setting} must be three numbers (red, green, blue), got {value}.')
            object.__setattr__(self, setting, tuple(float(channel) for channel in value))
        if min(self.image_std) <= 0:
            raise ValueError(f'image_std must be above 0, got {self.image_std}.')


@dataclasses.dataclass(frozen=True)
class DecoderFacts:
    """What others need to know of a decoder to use it well; with its options, these do not change."""

    normalization: Normalization = Normalization()

    receptive_field: int | None = None
    """How many LR pixels of features and image, to each side of the one that a coordinate falls into, decide its color
    (at scales from 1 on). With this margin, a crop gives the colors of the whole; but where a network takes the nearest
    LR pixel, rounding decides for coordinates on the border of two. None: no margin does."""

    exact_on_crops: bool = False
    """Whether it can be given a crop and answer by coordinates of the whole (`View.crop`). Then tiles equal the whole
    to the last bit of every coordinate. Else a crop is a picture of its own, and its coordinates are its own too."""

    needs_padded_features: bool = False
    """Whether `prepare` is given the features of the padded image, for decoders with layers of their own that a cropped
    border would change. They may then be higher and wider than the image, or have a stride."""

    unused_weights: bool = False
    """Whether some weights take no part in a batch, depending on what is asked for."""

    patch_size: int = 1
    """Side, in HR pixels, of the patch around each coordinate whose true colors `own_loss` is given."""

    least_default_piece: int = 1
    """Coordinates that it wants to be asked for at a time at least, where nothing else is said, to be fast."""


class Decoder(nn.Module, ABC, Generic[Prepared, Aimed]):
    """A network from features to colors at any coordinate, in three phases.

    `prepare` does once per image whatever size and coordinates do not change; `aim` does once per size whatever the
    coordinates do not change; `query` answers any set of coordinates from that. A decoder keeps no state in between, so
    a picture may be asked for in pieces of any size.

    The first argument of a decoder's constructor is the encoder's `feature_dim`, or the `encoder` where it is named so;
    the others are its options. `cell_scale_max` is one of every decoder's.
    """

    facts: DecoderFacts = DecoderFacts()

    published_losses: ClassVar[tuple[tuple[str, float], ...]] = (('PixelL1', 1.0),)
    """Names and weights of the losses that it was published with; `Own` is `own_loss`."""

    cell_scale_max: float | None = None
    """Largest scale whose cell the network is shown: beyond it, the cell is that of this scale (LTE's rule, used at
    test time). None: the cell is never changed."""

    def check_size(self, lr_size: tuple[int, int], size: tuple[int, int]) -> None:  # noqa: B027
        """Refuse, by ValueError, a size that images of `lr_size` can't be upscaled to; most decoders take any."""

    def limit_cell(self, cell_scale_max: float | None) -> None:
        """Set `cell_scale_max`, which is an option of every decoder.

        Raises:
            ValueError: for a limit that is not positive, or a decoder that reads more than a size from the cell.
        """
        if cell_scale_max is not None and not cell_scale_max > 0:
            raise ValueError(f'cell_scale_max must be a positive scale or None, got {cell_scale_max}.')
        self.cell_scale_max = cell_scale_max

    @abstractmethod
    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> Prepared:
        """Everything that the image alone decides.

        Args:
            features: the encoder's output.
            lr: the normalized image itself, for decoders that add to an interpolation of it.
        """

    def aim(self, prepared: Prepared, view: View) -> Aimed:
        """Everything that the image and the size decide; where nothing does, both as they are.

        Args:
            prepared: what `prepare` returned for this image, or for the crop of it that the view names.
            view: the size, by the cell, and the part that is at hand.
        """
        return cast(Aimed, (prepared, view))

    @abstractmethod
    def query(self, aimed: Aimed, queries: Queries) -> Float[Tensor, 'batch queries 3']:
        """Normalized colors at some coordinates.

        Args:
            aimed: what `aim` returned for this image and size.
            queries: the coordinates.
        """

    def query_in_pieces(self, aimed: Aimed, queries: Queries, size: int) -> Iterator[Float[Tensor, 'batch _ 3']]:
        """What `query` answers, in the memory of one piece of at most `size` coordinates after the other.

        A decoder whose answers depend on each other, such as one with attention over all queries, overrides this and
        goes through the pieces as often as it must.
        """
        for piece in queries.pieces(size):
            yield self.query(aimed, piece)

    def own_loss(
        self, aimed: Aimed, queries: Queries, colors: Float[Tensor, 'batch queries colors']
    ) -> Float[Tensor, '']:
        """A loss that only this decoder can tell, such as the likelihood of the true colors, to be minimized.

        Args:
            aimed, queries: as in `query`.
            colors: normalized true colors at the coordinates; with a `patch_size`, of the whole patch around each.
        """
        raise ValueError(f'{type(self).__name__} has no loss of its own; it is trained by the losses of the recipe.')
