"""LINF: local implicit normalizing flow, which knows how likely a color is, and samples colors.

Paper: Yao, Tsao, Lo, Tseng, Chang, Lee, CVPR 2023, https://arxiv.org/abs/2303.05156.
Written from the paper. Checked against outputs of JNNNNYao/LINF@d911a5a (tests/references/linf.npz, linf_patch.npz).
Differs from it: the cell is given once per image, and never limited (there: beyond x30); noise is a function of seed
and pixel instead of drawn from the global generator, so pictures repeat; and where a picture ends with the first row of
a patch, that row is the middle of a patch around itself (there: the top of a patch predicted for the picture's center).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from Models.Decoders.Decoder import Decoder, DecoderFacts
from Models.Decoders.Queries import Queries, View
from Models.Layers.bilinear import sample_bilinear
from Models.Layers.convolutions import conv3x3
from Models.Layers.fourier_features import fourier_features, waves_of
from Models.Layers.local_ensemble import gather_pixels
from Models.Layers.NormalizingFlow import NormalizingFlow
from Models.Layers.pixel_noise import pixel_noise
from Models.Layers.pointwise import pointwise_mlp


class LINFPrepared(NamedTuple):
    """What LINF knows of an image before any size or coordinate is asked for."""

    waves: Float[Tensor, 'batch pixels waves']
    """Amplitudes and frequencies of each LR pixel."""

    lr: Float[Tensor, 'batch 3 h w']
    """The image that the answer is added to."""


class LINFAimed(NamedTuple):
    """The same of an image and a size."""

    prepared: LINFPrepared
    phase: Float[Tensor, 'batch half']
    view: View

    temperature: float
    seed: int
    """Of the noise. To sample otherwise than the decoder's options say, use `aimed._replace(seed=...)`."""


class LINF(Decoder[LINFPrepared, LINFAimed]):
    """A flow, conditioned by Fourier features, over the texture: what the colors add to the interpolated LR image.

    The flow is over one pixel, or, with a `patch_size`, jointly over a patch of pixels around one. Then pictures are
    made of patches side by side, and a coordinate gets the texture of the HR pixel that it falls into; how many of them
    there are is told from the cell.

    Args:
        feature_dim: channels of the encoder's features.
        hidden_dim: Fourier features of each LR neighbor, cosines and sines together.
        hidden: widths of the hidden layers of the MLP that conditions the flow.
        flow_layers: conditioned layers of the flow.
        patch_size: side of the patches in HR pixels, odd; 3 in the published patch network.
        temperature: standard deviation of the noise. 0 gives one picture, with the best PSNR; more gives samples,
            sharper and each different. Training by likelihood does not use it.
        cell_scale_max: largest scale whose cell the network is shown; the
            default is that of the original's command. None: no limit.
        seed: of the noise. One seed, one picture: the noise depends on the pixel and the image's position in the batch,
            not on the other pixels that are asked for with it.

    Raises:
        ValueError: for a hidden_dim or patch_size of the wrong parity, no flow layer, or a negative temperature.
    """

    published_losses = (('Own', 1.0),)

    def __init__(  # noqa: PLR0913
        self,
        feature_dim: int,
        hidden_dim: int = 256,
        hidden: Sequence[int] = (256, 256, 256),
        flow_layers: int = 10,
        patch_size: int = 1,
        *,
        temperature: float = 0.0,
        seed: int = 0,
        cell_scale_max: float | None = 30.0,
    ) -> None:
        super().__init__()
        if hidden_dim < 2 or hidden_dim % 2:
            raise ValueError(f'hidden_dim must be an even number of at least 2, got {hidden_dim}.')
        if patch_size < 1 or patch_size % 2 == 0:
            raise ValueError(f'patch_size must be odd, as a patch has a middle pixel, got {patch_size}.')
        if flow_layers < 1:
            raise ValueError(f'flow_layers must be at least 1, got {flow_layers}.')
        if temperature < 0:
            raise ValueError(f'temperature must be 0 or more, got {temperature}.')
        self.limit_cell(cell_scale_max)
        self.facts = DecoderFacts(
            # Patches are counted from the picture's corner, and the noise by the picture's pixels.
            receptive_field=2 if patch_size == 1 and temperature == 0 else None,
            exact_on_crops=True,
            patch_size=patch_size,
        )
        self.patch_size = patch_size
        self.temperature = temperature
        self.seed = seed
        self.texture_dim = 3 * patch_size**2
        """Numbers that the flow is over: all pixels of the patch in red, then in green, then in blue."""
        self.coef = conv3x3(feature_dim, hidden_dim)
        self.freq = conv3x3(feature_dim, hidden_dim)
        self.phase = nn.Linear(2, hidden_dim // 2, bias=False)
        self.imnet = NormalizingFlow(self.texture_dim, flow_layers)
        self.layers = pointwise_mlp(4 * hidden_dim, hidden, self.imnet.condition_dim)

    def limit_cell(self, cell_scale_max: float | None) -> None:
        super().limit_cell(cell_scale_max)
        self._scale_max, self.cell_scale_max = cell_scale_max, None

    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> LINFPrepared:
        return LINFPrepared(waves_of(features, self.coef, self.freq, interleaved=False), lr)

    def aim(self, prepared: LINFPrepared, view: View) -> LINFAimed:
        cell_seen = view.relative_cell
        if self._scale_max is not None:
            # Here instead of before, as patches and noise read the picture's size from the cell.
            cell_seen = cell_seen.clamp(min=2 / self._scale_max)
        return LINFAimed(prepared, self.phase(cell_seen), view, self.temperature, self.seed)

    def query(self, aimed: LINFAimed, queries: Queries) -> Float[Tensor, 'batch queries 3']:
        # z ~ N(0, temperature²), through the inverse flow to a texture, which is added to the interpolated image.
        if self.patch_size == 1:
            texture = self.texture(aimed, queries, self._noise(aimed, pixels_at(queries.coord, aimed.view.cell)))
        else:
            texture = self._texture_from_patches(aimed, queries.coord)
        return texture + sample_bilinear(aimed.prepared.lr, queries.coord, aimed.view.crop)

    def texture(
        self, aimed: LINFAimed, queries: Queries, noise: Float[Tensor, 'batch queries texture_dim']
    ) -> Float[Tensor, 'batch queries texture_dim']:
        """What the flow makes of given noise: texture of the pixel, or patch, around each coordinate.

        Args:
            aimed, queries: as in `query`.
            noise: standard normal numbers times the temperature.
        """
        return self.imnet.data_of(noise, self._condition(aimed, queries))

    def log_likelihood(
        self, aimed: LINFAimed, queries: Queries, texture: Float[Tensor, 'batch queries texture_dim']
    ) -> Float[Tensor, 'batch queries']:
        """Logarithm of the probability density of a texture around each coordinate.

        Args:
            aimed, queries: as in `query`.
            texture: normalized HR colors minus the interpolated LR image, in the order of `texture_dim`.
        """
        return self.imnet.log_likelihood(texture, self._condition(aimed, queries))

    def own_loss(
        self, aimed: LINFAimed, queries: Queries, colors: Float[Tensor, 'batch queries texture_dim']
    ) -> Float[Tensor, '']:
        """Negative log-likelihood of the true colors, mean over the queries: the published network's only loss.

        (Published networks may then be tuned with 5e-4 of it plus the L1 loss of the colors at temperature 0.)

        Args:
            aimed, queries: as in `query`.
            colors: normalized HR colors of the pixel at each coordinate; with patches, of all pixels of the patch
                around it, in the order of `texture_dim`. What is given for pixels beyond the picture has no influence:
                as in the published training, the texture is 0 there.
        """
        return -self.log_likelihood(aimed, queries, self._texture_of(aimed, queries.coord, colors)).mean()

    def _condition(self, aimed: LINFAimed, queries: Queries) -> Float[Tensor, 'batch queries condition_dim']:
        """What the flow is conditioned by: the Fourier features of all four neighbors, through an MLP."""
        neighbors = queries.neighbors(aimed.view, local_ensemble=True)
        # A query's four vectors go into the MLP side by side, so they are fetched side by side: (B, Q, 4, ...).
        pixel = neighbors.pixel.permute(1, 2, 0)
        waves = gather_pixels(aimed.prepared.waves, pixel.flatten(1)[None])[0].unflatten(1, pixel.shape[1:])
        features = fourier_features(waves, neighbors.offset.permute(1, 2, 0, 3), aimed.phase[:, None, None])
        return self.layers((features * neighbors.weight.permute(1, 2, 0)[..., None]).flatten(2))

    def _noise(
        self, aimed: LINFAimed, pixel: Int[Tensor, 'batch queries 2']
    ) -> Float[Tensor, 'batch queries texture_dim']:
        like = aimed.prepared.lr
        if aimed.temperature == 0:
            return like.new_zeros(*pixel.shape[:2], self.texture_dim)
        return aimed.temperature * pixel_noise(pixel, self.texture_dim, seed=aimed.seed).to(like.dtype)

    def _texture_from_patches(
        self, aimed: LINFAimed, coord: Float[Tensor, 'batch queries 2']
    ) -> Float[Tensor, 'batch queries 3']:
        cell = aimed.view.cell
        pixel = pixels_at(coord, cell)
        middle = patch_middles(pixel, cell, self.patch_size)
        place = pixel - middle + self.patch_size // 2
        # Pixels of one patch are asked for together, as a rule: its texture is made once.
        width = hr_size(cell)[:, 1:]
        patches, patch_of_query = (middle[..., 0] * width + middle[..., 1]).unique(dim=1, return_inverse=True)
        middle = torch.stack([patches // width, patches % width], dim=-1)
        texture = self.texture(aimed, Queries(centers_of(middle, cell)), self._noise(aimed, middle))
        texture = texture.unflatten(-1, (3, -1))[:, patch_of_query]
        index = place[..., 0] * self.patch_size + place[..., 1]
        return texture.gather(-1, index[..., None, None].expand(-1, -1, 3, -1))[..., 0]

    def _texture_of(
        self,
        aimed: LINFAimed,
        coord: Float[Tensor, 'batch queries 2'],
        colors: Float[Tensor, 'batch queries texture_dim'],
    ) -> Float[Tensor, 'batch queries texture_dim']:
        """The inverse of what `query` does: from colors to what they add to the interpolated image."""
        steps = torch.arange(self.patch_size, device=coord.device) - self.patch_size // 2
        step = torch.cartesian_prod(steps, steps).to(coord.dtype)  # (p^2, 2), row after row
        pixels = (coord[:, :, None] + step * aimed.view.cell[:, None, None]).flatten(1, 2)
        skip = sample_bilinear(aimed.prepared.lr, pixels, aimed.view.crop).unflatten(1, (-1, len(step))).transpose(2, 3)
        inside = (pixels.abs() < 1).all(dim=-1).unflatten(1, (-1, 1, len(step)))
        texture = colors.unflatten(-1, (3, -1)) - skip
        # Not a product with `inside`: what was never given may be anything, even not a number.
        return texture.where(inside, texture.new_zeros(())).flatten(2)


def hr_size(cell: Float[Tensor, 'batch 2']) -> Int[Tensor, 'batch 2']:
    """Height and width of the picture whose pixels have the size `cell`."""
    return (2 / cell).round().long()


def pixels_at(
    coord: Float[Tensor, 'batch queries 2'], cell: Float[Tensor, 'batch 2']
) -> Int[Tensor, 'batch queries 2']:
    """(row, column) of the HR pixel that a coordinate falls into."""
    size = hr_size(cell)[:, None]
    return ((coord + 1) / 2 * size).long().clamp(min=0).minimum(size - 1)


def centers_of(
    pixel: Int[Tensor, 'batch queries 2'], cell: Float[Tensor, 'batch 2']
) -> Float[Tensor, 'batch queries 2']:
    """The inverse of `pixels_at`."""
    half = 1 / hr_size(cell)[:, None].to(cell.dtype)
    return -1 + half + 2 * half * pixel.to(cell.dtype)


def patch_middles(
    pixel: Int[Tensor, 'batch queries 2'], cell: Float[Tensor, 'batch 2'], patch_size: int
) -> Int[Tensor, 'batch queries 2']:
    """(row, column) of the middle of the patch that a pixel belongs to.

    Patches lie side by side from the upper left on. The last one of a row or column may reach beyond the picture; if
    its middle would too, it moves back until the middle is the last pixel, as patches around that were trained on.
    """
    middle = pixel // patch_size * patch_size + patch_size // 2
    return middle.minimum(hr_size(cell)[:, None] - 1)
