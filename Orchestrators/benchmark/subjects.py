"""What is measured: the same weights used by us and by the plain form."""

import contextlib
from collections.abc import Iterator
from types import ModuleType

import torch
from torch import Tensor
from torch.nn import functional

from Models.build import build_super_resolver
from Models.DecoderType import DecoderType
from Models.EncoderType import EncoderType
from Models.SuperResolver import SuperResolver
from Orchestrators.benchmark.Plan import Case, Plan
from Utilities.coordinates import cell_of, coordinates_of, pixel_centers


@contextlib.contextmanager
def in_precision(plan: Plan, device: torch.device) -> Iterator[None]:
    """Matrix products in TF32 or bfloat16, if the plan says so; everything else stays as it is."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('high' if plan.precision == 'tf32' else 'highest')
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=plan.precision == 'bf16'):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def build_model(decoder: DecoderType, plan: Plan, device: torch.device) -> SuperResolver:
    """EDSR-baseline with the decoder at its published size, with random weights."""
    torch.manual_seed(0)
    model = build_super_resolver(EncoderType.EDSR, decoder).to(device).eval()
    if plan.compile:
        model.encoder.compile()
        model.decoder.query = torch.compile(model.decoder.query, dynamic=True)  # type: ignore[method-assign]
    return model


class Upscaling:
    """One picture, upscaled by both.

    Args:
        model: network.
        naive: the module of plain forms.
        case: LR side and scale.
    """

    def __init__(self, model: SuperResolver, naive: ModuleType, case: Case) -> None:
        side, scale = case
        self._model = model
        self._naive = naive
        self._lr_size = (side, side)
        self.size = (round(side * scale), round(side * scale))
        self._lr = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(model.mean.device)

    @property
    def megapixels(self) -> float:
        """Of the result."""
        return self.size[0] * self.size[1] / 1e6

    def ours(self) -> Tensor:
        """As everybody calls it."""
        return self._model.upscale(self._lr, self.size)

    @torch.inference_mode()
    def plain(self) -> Tensor:
        """Encoder, then the plain decoder on all coordinates."""
        model, lr = self._model, self._lr
        normalized = (lr - model.mean[:, None, None]) / model.std[:, None, None]
        features = model.encoder(normalized)
        centers = [pixel_centers(count, device=lr.device) for count in self.size]
        coord = coordinates_of(centers[0], centers[1])[None]
        largest = model.decoder.cell_scale_max or float('inf')
        shown = [min(hr, n * largest) for n, hr in zip(self._lr_size, self.size, strict=True)]
        cell = lr.new_tensor([[2 / shown[0], 2 / shown[1]]])
        pieces = list(self._naive.query_in_chunks(model.decoder, features, normalized, coord, cell))
        colors = torch.cat(pieces, dim=1) * model.std + model.mean
        return colors.clamp(0, 1).transpose(1, 2).unflatten(2, self.size)

    def difference(self) -> float:
        """Largest difference between the two, of colors in [0, 1]."""
        return (self.ours().float() - self.plain().float()).abs().max().item()


class TrainingStep:
    """Forward, backward and Adam on a batch of random crops, encoder included; L1 on colors.

    LINF, too, is trained by L1 here, at temperature 0.

    Args:
        model: network.
        naive: the module of plain forms.
        batch: samples, at scales from 1 to 4.
        patch: side of the LR patches in pixels; as many queries as it has pixels.
    """

    def __init__(self, model: SuperResolver, naive: ModuleType, batch: int, patch: int) -> None:
        self._model = model
        self._naive = naive
        device = model.mean.device
        random = torch.Generator().manual_seed(0)
        # Both sides have the recipes' default layout, so that the decoders alone differ.
        model.encoder.to(memory_format=torch.channels_last)
        self._lr = torch.rand(batch, 3, patch, patch, generator=random).to(device, memory_format=torch.channels_last)
        self._hr = torch.rand(batch, patch**2, 3, generator=random).to(device)
        sides = [round(patch * scale) for scale in torch.linspace(1, 4, batch).tolist()]
        self._cell = torch.cat([cell_of((side, side)) for side in sides]).to(device)
        grids = [coordinates_of(pixel_centers(side), pixel_centers(side)) for side in sides]
        chosen = [grid[torch.randperm(len(grid), generator=random)[: patch**2]] for grid in grids]
        self._coord = torch.stack(chosen).to(device)
        self._optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)

    def ours(self) -> None:
        """As the training orchestrator has it."""
        colors = self._model(self._lr, self._coord, self._cell)
        self._learn(colors)

    def plain(self) -> None:
        """The same with the plain decoder."""
        model = self._model
        normalized = (self._lr - model.mean[:, None, None]) / model.std[:, None, None]
        features = model.encoder(normalized)
        colors = self._naive.query(model.decoder, features, normalized, self._coord, self._cell)
        self._learn(colors * model.std + model.mean)

    def _learn(self, colors: Tensor) -> None:
        self._optimizer.zero_grad()
        functional.l1_loss(colors, self._hr).backward()
        self._optimizer.step()
