import pytest
import torch

from Configuration import LossTerm
from Losses.Loss import Loss
from Losses.PixelL1 import PixelL1
from Losses.WeightedSum import WeightedSum
from Models import LossType
from Orchestrators.Steps import build as steps
from tests.tiny import TrainTiny


def test_pixel_l1_by_hand() -> None:
    assert PixelL1()(torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 0.5]])).item() == 0.5


def test_the_sum_weighs_its_terms_and_names_them() -> None:
    sr, hr = torch.zeros(1, 4, 3), torch.ones(1, 4, 3)
    total, parts = WeightedSum([('PixelL1', PixelL1(), 0.25)])(sr, hr)
    assert total.item() == 0.25
    assert parts['PixelL1'].item() == 1


def test_a_loss_may_stand_once() -> None:
    with pytest.raises(ValueError, match='may stand in `losses` once'):
        WeightedSum([('PixelL1', PixelL1(), 1), ('PixelL1', PixelL1(), 1)])


def test_a_loss_that_needs_neighbors_refuses_scattered_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    class Neighboring(PixelL1):
        needs_neighbors = True

    def find(*_: object) -> type[Loss]:
        return Neighboring

    monkeypatch.setattr(steps, 'find_class', find)
    with pytest.raises(ValueError, match=r'PixelL1 compares neighboring pixels.*sampling = SamplingType\.Scattered'):
        steps.build_step(TrainTiny(losses=(LossTerm(LossType.PixelL1),)), torch.device('cpu'))
