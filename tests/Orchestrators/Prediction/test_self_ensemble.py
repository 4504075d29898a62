"""The mean over turned and mirrored pictures, against a plain loop; symmetric as it promises."""

import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from Models import DecoderType, EncoderType, TestingStrategy
from Orchestrators.Prediction.prediction import Prediction, Predictor
from Orchestrators.Prediction.self_ensemble import Views, self_ensembled
from Orchestrators.Prediction.strategies import bicubic, predictor_of
from tests.tiny_networks import tiny

CPU = torch.device('cpu')
LR_SIZE, SIZE = (13, 18), (41, 39)
"""Odd sizes; x3.15 and x2.17."""

TILED: dict[TestingStrategy, dict[str, Any]] = {
    TestingStrategy.Simple: {},
    TestingStrategy.Patched: {'tile_side': 7},
    TestingStrategy.OverlappingPatched: {'tile_side': 7},
}


def picture(size: tuple[int, int] = LR_SIZE) -> Tensor:
    random = torch.Generator().manual_seed(1)
    return 0.2 + 0.6 * torch.rand(1, 3, *size, generator=random, dtype=torch.float64)


def predictor(strategy: TestingStrategy = TestingStrategy.Simple, decoder: DecoderType = DecoderType.LIIF) -> Predictor:
    return predictor_of(tiny(EncoderType.EDSR, decoder).double(), strategy, CPU, None, **TILED[strategy])


def plain_loop(predict: Predictor, lr: Tensor, size: tuple[int, int], views: Views) -> np.ndarray:
    """As the papers say it, on (height, width, 3): turn, perhaps after mirroring, predict, undo, average."""
    found = []
    array = lr[0].permute(1, 2, 0).numpy()
    for is_mirrored in (False, True)[: views // 4]:
        for turns in range(4):
            seen = np.rot90(array[:, ::-1] if is_mirrored else array, turns)
            asked = size if turns % 2 == 0 else (size[1], size[0])
            sr = predict(torch.from_numpy(seen.copy()).permute(2, 0, 1)[None], asked).image[0].permute(1, 2, 0).numpy()
            upright = np.rot90(sr, -turns)
            found.append(upright[:, ::-1] if is_mirrored else upright)
    return np.mean(found, axis=0)


@pytest.mark.parametrize('views', [4, 8])
@pytest.mark.parametrize('strategy', TestingStrategy)
def test_it_is_the_mean_over_the_views(strategy: TestingStrategy, views: Views) -> None:
    predict = predictor(strategy)
    found = self_ensembled(predict, views)(picture(), SIZE).image
    assert found.shape == (1, 3, *SIZE)
    expected = plain_loop(predict, picture(), SIZE, views)
    np.testing.assert_allclose(found[0].permute(1, 2, 0).numpy(), expected, atol=1e-12, rtol=0)
    assert (found - predict(picture(), SIZE).image).abs().max() > 1e-3


@pytest.mark.parametrize('decoder', [DecoderType.LIIF, DecoderType.SRNO])
@pytest.mark.parametrize('views', [4, 8])
def test_of_a_turned_or_mirrored_picture_it_is_turned_or_mirrored_alike(views: Views, decoder: DecoderType) -> None:
    """Rotations with four views; mirror images with eight only."""
    alone = predictor(decoder=decoder)
    predict = self_ensembled(alone, views)
    lr, expected = picture(), self_ensembled(alone, views)(picture(), SIZE).image
    turned = predict(lr.rot90(1, (2, 3)).contiguous(), SIZE[::-1]).image.rot90(-1, (2, 3))
    torch.testing.assert_close(turned, expected, atol=1e-12, rtol=0)
    for axis in (2, 3):
        differences = [
            (chosen(lr.flip(axis), SIZE).image.flip(axis) - chosen(lr, SIZE).image).abs().max()
            for chosen in (predict, alone)
        ]
        assert (differences[0] <= 1e-12) == (views == 8)
        assert differences[1] > 1e-3


def test_what_is_symmetric_by_itself_stays() -> None:
    """Bicubic interpolation, up to its rounding to 8 bits."""
    lr = picture().float()
    found = self_ensembled(bicubic, 8)(lr, SIZE).image
    torch.testing.assert_close(found, bicubic(lr, SIZE).image, atol=1 / 255 + 1e-6, rtol=0)


def test_one_view_is_the_predictor_itself() -> None:
    predict = predictor()
    assert self_ensembled(predict, 1) is predict


def test_no_more_than_one_view_is_kept() -> None:
    kept: list[weakref.ref[Tensor]] = []
    alive = []

    def predict(lr: Tensor, size: tuple[int, int]) -> Prediction:
        alive.append(sum(result() is not None for result in kept))
        result = torch.full((1, 3, *size), float(lr.mean()))
        kept.append(weakref.ref(result))
        return Prediction(result)

    self_ensembled(predict, 8)(picture(), SIZE)
    assert len(alive) == 8
    assert max(alive) <= 1


def test_results_of_the_predictor_are_left_as_they_are() -> None:
    """One that returns the same tensor twice, such as a cache."""
    cached = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    before = cached.clone()
    self_ensembled(lambda lr, size: Prediction(cached), 4)(picture((2, 2)), (4, 4))
    assert torch.equal(cached, before)


def test_exactness_is_that_of_the_strategy_also_for_the_picture_on_its_side() -> None:
    for strategy, expected in zip(TestingStrategy, ('exact', 'approximate', 'exact'), strict=True):
        assert self_ensembled(predictor(strategy), 8)(picture(), SIZE).exactness == expected
    assert self_ensembled(bicubic, 8)(picture().float(), SIZE).exactness == 'exact'

    def on_its_side(lr: Tensor, size: tuple[int, int]) -> Prediction:
        return Prediction(torch.zeros(1, 3, *size), 'its side is long' if size[0] < size[1] else None)

    assert self_ensembled(on_its_side, 4)(picture(), SIZE)[1] == 'its side is long'
    assert self_ensembled(on_its_side, 4)(picture(), SIZE[::-1])[1] == 'its side is long'
