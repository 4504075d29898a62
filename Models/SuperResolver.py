"""An encoder and a decoder that together super-resolve: [0, 1] in, [0, 1] out."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from Models.Decoders.Decoder import Decoder
from Models.Decoders.Queries import GridQueries, Queries, View
from Models.Encoders.Encoder import Condition, Encoder
from Utilities.coordinates import Crop, centers_in_crop, pixel_centers
from Utilities.memory import ChunkMemoryError, is_out_of_memory

# The activations of a chunk should stay in a CPU's cache; a GPU wants fewer, larger launches.
_QUERIES_PER_CHUNK_CPU = 2048
_QUERIES_PER_CHUNK_GPU = 65_536


class SuperResolver(nn.Module):
    """Encoder and decoder behind one interface: `forward` for training, `upscale` for use.

    Args:
        encoder: makes the features.
        decoder: reads colors out of them; it also says how images are normalized for both.

    Raises:
        ValueError: for an encoder with fewer features than LR pixels, and a decoder that looks for one at each.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        if encoder.feature_stride > 1 and not decoder.facts.needs_padded_features:
            stride = encoder.feature_stride
            raise ValueError(
                f'{type(encoder).__name__} makes one feature vector of {stride}x{stride} '
                f'LR pixels with these options, and {type(decoder).__name__} needs one for each. Use Native.'
            )
        self.encoder = encoder
        self.decoder = decoder
        self.register_buffer('mean', torch.tensor(decoder.facts.normalization.image_mean), persistent=False)
        self.register_buffer('std', torch.tensor(decoder.facts.normalization.image_std), persistent=False)
        self._condition: Condition | None = None

    def given(self, condition: Condition | None) -> 'SuperResolver':
        """The network for images that were made so; it shares all weights, and is used like any other.

        Args:
            condition: a row of numbers per image, or one for all, for each of the encoder's `condition_names`. Other
                names are left aside, as one network may ask for less than another. None: unknown.

        Raises:
            ValueError: if one of these names is missing.
        """
        network = copy.copy(self)
        network._condition = self._named(condition)
        return network

    @property
    def receptive_field(self) -> int | None:
        """How many LR pixels, to each side of the one that an HR pixel falls into, decide its color.

        With this margin, a crop is upscaled as it is in the whole (at scales from 1 on). None: no margin does.
        """
        encoder, decoder = self.encoder.receptive_field, self.decoder.facts.receptive_field
        return None if encoder is None or decoder is None else encoder + decoder

    @property
    def image_layers(self) -> nn.Module:
        """The part that looks at images as a whole, and gains by their layout in memory."""
        return self.encoder

    @property
    def unused_weights(self) -> bool:
        """Whether some weights may take no part in a batch."""
        return self.decoder.facts.unused_weights

    @property
    def default_chunk(self) -> int:
        """Coordinates asked for at a time, where nothing else is said."""
        of_device = _QUERIES_PER_CHUNK_CPU if self.mean.device.type == 'cpu' else _QUERIES_PER_CHUNK_GPU
        return max(of_device, self.decoder.facts.least_default_piece)

    def forward(
        self,
        lr: Float[Tensor, 'batch 3 h w'],
        coord: Float[Tensor, 'batch queries 2'],
        cell: Float[Tensor, 'batch 2'],
        hr: Float[Tensor, 'batch queries 3'] | None = None,
        *,
        with_colors: bool = False,
        condition: Condition | None = None,
    ) -> Float[Tensor, 'batch queries 3'] | Float[Tensor, ''] | tuple[Tensor, Tensor]:
        """Colors at the given coordinates, for training: not clipped, so that gradients reach every pixel.

        All that training asks of the network goes through here, as wrappers such as DistributedDataParallel need it.

        Args:
            lr: images in [0, 1].
            coord: centers of HR pixels as (y, x), where the image spans [-1, 1].
            cell: height and width of an HR pixel in the same units.
            hr: true colors in [0, 1] at the coordinates. Given them, the answer is the decoder's own training loss
                instead; only for decoders that have one.
            with_colors: then the answer is both, colors first.
            condition: how the images were made, as for `given`, which it takes precedence over.
        """
        normalized = self._normalize(lr)
        view, queries = View((lr.shape[2], lr.shape[3]), cell), Queries(coord)
        aimed = self.decoder.aim(self._prepare(normalized, condition), view)
        if hr is None:
            return self.decoder.query(aimed, queries) * self.std + self.mean
        own = self.decoder.own_loss(aimed, queries, (hr - self.mean) / self.std)
        return (self.decoder.query(aimed, queries) * self.std + self.mean, own) if with_colors else own

    @torch.inference_mode()
    def upscale(
        self, lr: Float[Tensor, 'batch 3 h w'], size: tuple[int, int], *, queries_per_chunk: int | None = None
    ) -> Float[Tensor, 'batch 3 height width']:
        """Super-resolve whole images to any height and width.

        Args:
            lr: images in [0, 1]. The result is where they are: images in the computer's memory stay there, and a
                network on a GPU then needs no room for the result.
            size: (height, width) of the result; scales follow from it, per axis and fractional if need be.
            queries_per_chunk: coordinates asked for at a time. It changes memory and speed, not the result.

        Returns:
            Images in [0, 1].

        Raises:
            ValueError: for a size below 1, or one that the decoder can't make.
            ChunkMemoryError: if there is no memory for so many queries at a time; fewer may do.
        """
        return self._upscale_at(lr, *self._asked(lr, size), queries_per_chunk).unflatten(2, size)

    def stream(
        self, lr: Float[Tensor, 'batch 3 h w'], size: tuple[int, int], *, queries_per_chunk: int | None = None
    ) -> Iterator[Float[Tensor, 'batch 3 _']]:
        """What `upscale` gives, pixel after pixel in pieces, for pictures that are too large to be held whole.

        Args, Raises: as for `upscale`.
        """
        chunks = self._colors_at(lr, *self._asked(lr, size), queries_per_chunk)
        while True:
            # Not around the loop, as whoever takes the pieces may have other intentions.
            with torch.inference_mode():
                colors = next(chunks, None)
            if colors is None:
                return
            yield colors.to(lr.device)

    @torch.inference_mode()
    def upscale_part(
        self,
        lr: Float[Tensor, 'batch 3 h w'],
        crop: Crop,
        size: tuple[int, int],
        part: tuple[range, range],
        *,
        queries_per_chunk: int | None = None,
    ) -> Float[Tensor, 'batch 3 _ _']:
        """Super-resolve part of whole images, given a crop of them.

        Where the crop reaches further than the part by the `receptive_field`, this is that part of `upscale`.

        Args:
            lr: the crop, in [0, 1].
            crop: where it was cut out.
            size: (height, width) of the result for the whole images.
            part: rows and columns of it that are wanted, in steps of 1.
            queries_per_chunk: as in `upscale`.

        Returns:
            The part in [0, 1].

        Raises:
            ValueError: as `upscale` does for the whole images.
        """
        self.check_size(crop.lr_size, size)
        lr_size, cell = crop.lr_size, self._shown_cell(crop.lr_size, size)
        if self.decoder.facts.exact_on_crops:
            centers = [pixel_centers(count, device=self.mean.device, dtype=lr.dtype) for count in size]
            rows, columns = (axis[span.start : span.stop] for axis, span in zip(centers, part, strict=True))
        else:
            # A picture of its own: coordinates and cell of the whole, where the crop spans [-1, 1].
            rows = centers_in_crop(part[0], size[0], crop.rows, lr_size[0]).to(self.mean.device, lr.dtype)
            columns = centers_in_crop(part[1], size[1], crop.columns, lr_size[1]).to(rows)
            cell = (cell[0] * lr_size[0] / len(crop.rows), cell[1] * lr_size[1] / len(crop.columns))
            lr_size = (len(crop.rows), len(crop.columns))
        view = self._view(lr, lr_size, cell, crop if self.decoder.facts.exact_on_crops else None)
        queries = GridQueries(rows, columns, lr.shape[0])
        return self._upscale_at(lr, view, queries, queries_per_chunk).unflatten(2, (len(rows), len(columns)))

    def check_size(self, lr_size: tuple[int, int], size: tuple[int, int]) -> None:
        """Refuse a size that images of `lr_size` can't be upscaled to, both (height, width), by ValueError."""
        if min(size) < 1:
            raise ValueError(f'The size to upscale to must be at least 1x1, got {size[0]}x{size[1]}.')
        self.decoder.check_size(lr_size, size)

    def prepare(self, lr: Float[Tensor, 'batch 3 h w']) -> Any:  # noqa: ANN401
        """What the decoder makes of images in [0, 1], for use: the first of its phases."""
        return self._prepare(_fastest_layout(self._normalize(lr)))

    def _prepare(self, normalized: Float[Tensor, 'batch 3 h w'], condition: Condition | None = None) -> Any:  # noqa: ANN401
        encode = self.encoder.extract_padded if self.decoder.facts.needs_padded_features else self.encoder
        known = self._condition if condition is None else self._named(condition)
        if known is not None:
            known = {name: rows.to(normalized).expand(len(normalized), -1) for name, rows in known.items()}
        return self.decoder.prepare(encode(normalized, known), normalized)

    def _named(self, condition: Condition | None) -> Condition | None:
        """What the encoder wants to know of it."""
        names = self.encoder.condition_names
        if condition is None or not names:
            return None
        missing = [name for name in names if name not in condition]
        if missing:
            raise ValueError(
                f'{type(self.encoder).__name__} is conditioned by {", ".join(names)}, and was not told '
                f'{", ".join(missing)}; it was told {", ".join(condition) or "nothing"}.'
            )
        return {name: condition[name] for name in names}

    def _normalize(self, image: Float[Tensor, 'batch 3 h w']) -> Float[Tensor, 'batch 3 h w']:
        return (image - self.mean[:, None, None]) / self.std[:, None, None]

    def _asked(self, lr: Float[Tensor, 'batch 3 h w'], size: tuple[int, int]) -> tuple[View, GridQueries]:
        """All pixels of pictures of `size`."""
        lr_size = (lr.shape[2], lr.shape[3])
        self.check_size(lr_size, size)
        rows, columns = (pixel_centers(count, device=self.mean.device, dtype=lr.dtype) for count in size)
        return self._view(lr, lr_size, self._shown_cell(lr_size, size)), GridQueries(rows, columns, lr.shape[0])

    def _view(
        self,
        lr: Float[Tensor, 'batch 3 h w'],
        lr_size: tuple[int, int],
        cell: tuple[float, float],
        crop: Crop | None = None,
    ) -> View:
        shown = torch.tensor(cell, device=self.mean.device, dtype=lr.dtype)
        return View(lr_size, shown.expand(lr.shape[0], 2), crop)

    def _upscale_at(
        self, lr: Float[Tensor, 'batch 3 h w'], view: View, queries: GridQueries, queries_per_chunk: int | None
    ) -> Float[Tensor, 'batch 3 queries']:
        """Colors of a whole or a part, pixel after pixel, held where `lr` is."""
        result = lr.new_empty(lr.shape[0], 3, len(queries))
        first = 0
        for colors in self._colors_at(lr, view, queries, queries_per_chunk):
            result[:, :, first : first + colors.shape[2]] = colors
            first += colors.shape[2]
        return result

    def _colors_at(
        self, lr: Float[Tensor, 'batch 3 h w'], view: View, queries: GridQueries, queries_per_chunk: int | None
    ) -> Iterator[Float[Tensor, 'batch 3 _']]:
        """The same chunk by chunk, on the network's device."""
        per_chunk = queries_per_chunk or self.default_chunk
        aimed = self.decoder.aim(self.prepare(lr.to(self.mean.device)), view)
        try:
            for colors in self.decoder.query_in_pieces(aimed, queries, per_chunk):
                yield (colors * self.std + self.mean).clamp_(0, 1).transpose(1, 2)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise ChunkMemoryError(min(per_chunk, len(queries))) from error

    def _shown_cell(self, lr_size: tuple[int, int], size: tuple[int, int]) -> tuple[float, float]:
        """The cell that the decoder is shown for a picture of `size`."""
        largest = self.decoder.cell_scale_max
        shown = size if largest is None else [min(hr, lr * largest) for lr, hr in zip(lr_size, size, strict=True)]
        return 2 / shown[0], 2 / shown[1]


def _fastest_layout(image: Float[Tensor, 'batch 3 h w']) -> Float[Tensor, 'batch 3 h w']:
    # On a CPU, EDSR takes three quarters of the time with channels last; what a GPU prefers depends on its precision.
    return image.contiguous(memory_format=torch.channels_last) if image.device.type == 'cpu' else image
