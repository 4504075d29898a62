"""What every decoder promises."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from Utilities.coordinates import Crop

Color = tuple[float, float, float]


class Decoder(nn.Module, ABC):
    """A network from features to colors at any coordinate, in two phases.

    `prepare` does once per image whatever the coordinates do not change; `query` answers any set of coordinates from
    that context. A decoder keeps no state between the two, so a picture may be asked for in pieces of any size.

    The first argument of a decoder's constructor is the encoder's `feature_dim`, or the `encoder` where it is named so;
    the others are its options. `cell_scale_max` is one of every decoder's.
    """

    image_mean: Color = (0.5, 0.5, 0.5)
    image_std: Color = (0.5, 0.5, 0.5)
    """Encoder and decoder see (image - mean) / std, and the decoder's colors are mapped back. Most published INR
    networks map [0, 1] to [-1, 1]."""

    cell_scale_max: float | None = None
    """Largest scale whose cell the network is shown: beyond it, the cell is that of this scale (LTE's rule, used at
    test time). None: the cell is never changed."""

    wants_padding: bool = False
    """Whether `prepare` is given the features of the padded image, for decoders with layers of their own that a cropped
    border would change. They may then be higher and wider than the image."""

    published_losses: tuple[tuple[str, float], ...] = (('PixelL1', 1.0),)
    """Names and weights of the losses that it was published with; `Own` is `training_loss`."""

    may_leave_weights_idle: bool = False
    """Whether some weights take no part in a batch, depending on what is asked for."""

    patch_size: int = 1
    """Side, in HR pixels, of the patch around each coordinate whose true colors `training_loss` is given."""

    receptive_field: int | None = None
    """How many LR pixels of features and image, to each side of the one that a coordinate falls into, decide its color
    (at scales from 1 on). With this margin, a crop gives the colors of the whole; but where a network takes the nearest
    LR pixel, rounding decides for coordinates on the border of two. None: no margin does."""

    least_default_chunk: int = 1
    """Coordinates that it wants to be asked for at a time at least, where nothing else is said, to be fast."""

    knows_crops: bool = False
    """Whether it can answer for part of a picture by coordinates of the whole, see `place`. Then tiles equal the whole
    to the last bit of every coordinate. Else a crop is a picture of its own, and its coordinates are its own too."""

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

    def set_normalization(self, image_mean: Sequence[float], image_std: Sequence[float]) -> None:
        """For constructors that leave it open, as networks were published with more than one.

        Raises:
            ValueError: if these are not three numbers each, or a deviation is not above 0.
        """
        self.image_mean = _color('image_mean', image_mean)
        self.image_std = _color('image_std', image_std)
        if min(self.image_std) <= 0:
            raise ValueError(f'image_std must be above 0, got {self.image_std}.')

    @abstractmethod
    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> Any:  # noqa: ANN401
        """Everything that the image alone decides; handed to `query` as it is.

        Args:
            features: the encoder's output.
            lr: the normalized image itself, for decoders that add to an interpolation of it.
        """

    def place(self, context: Any, crop: Crop) -> Any:  # noqa: ANN401
        """Tell a context which part of a picture its image is; only where `knows_crops`.

        Args:
            context: what `prepare` returned for the part; it has `lr_size` and `crop`.
            crop: where it lies. Coordinates and cell in `query` are then those of the whole picture.
        """
        return context._replace(lr_size=crop.lr_size, crop=crop)

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

    def query_in_chunks(
        self,
        context: Any,  # noqa: ANN401
        chunks: Iterable[Float[Tensor, 'batch _ 2']],
        cell: Float[Tensor, 'batch 2'],
    ) -> Iterator[Float[Tensor, 'batch _ 3']]:
        """Colors of a whole set of coordinates, piece by piece, as if `query` had been given all of them at once.

        A decoder whose answers depend on each other, such as one with attention over all queries, overrides this and
        goes through the chunks as often as it must.

        Args:
            context: what `prepare` returned for this image.
            chunks: the coordinates in pieces; can be gone through repeatedly, and gives the same each time.
            cell: as in `query`.
        """
        for coord in chunks:
            yield self.query(context, coord, cell)

    def training_loss(
        self,
        context: Any,  # noqa: ANN401
        coord: Float[Tensor, 'batch queries 2'],
        cell: Float[Tensor, 'batch 2'],
        hr: Float[Tensor, 'batch queries colors'],
    ) -> Float[Tensor, '']:
        """Negative log-likelihood of the true colors, to be minimized; only for decoders that have such.

        Args:
            context, coord, cell: as in `query`.
            hr: normalized colors at the coordinates; with a `patch_size`, of the whole patch around each.
        """
        raise ValueError(f'{type(self).__name__} has no loss of its own; it is trained by the losses of the recipe.')


def _color(setting: str, value: Sequence[float]) -> Color:
    if len(value) != 3:
        raise ValueError(f'{setting} must be three numbers (red, green, blue), got {value}.')
    red, green, blue = (float(channel) for channel in value)
    return red, green, blue
