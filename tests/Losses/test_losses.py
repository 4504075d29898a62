import pytest
import torch

from Configuration import LossTerm, TrainGradLoss
from Losses.Charbonnier import Charbonnier
from Losses.GradientL1 import GradientL1
from Losses.GramRGB import GramRGB
from Losses.Loss import Loss
from Losses.PixelL1 import PixelL1
from Losses.PixelMSE import PixelMSE
from Losses.WeightedSum import WeightedSum
from Models import LossType, SamplingType
from Orchestrators.Pipelines import SuperResolution as pipeline
from tests.tiny import TrainTiny


def test_pixel_l1_by_hand() -> None:
    assert PixelL1()(torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 0.5]])).item() == 0.5


def test_pixel_mse_by_hand() -> None:
    assert PixelMSE()(torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 0.75]])).item() == (0.25 + 0.0625) / 2


def test_charbonnier_by_hand() -> None:
    """Sides of 3 and 4 have a hypotenuse of 5; far from zero it is L1."""
    assert Charbonnier(epsilon=4)(torch.tensor([[3.0]]), torch.tensor([[0.0]])).item() == 5
    found = Charbonnier()(torch.tensor([[0.2, 0.0]]), torch.tensor([[0.0, 0.0]])).item()
    assert found == pytest.approx((0.2 + 1e-3) / 2, abs=2e-6)
    with pytest.raises(ValueError, match='epsilon of Charbonnier must be above 0, got 0'):
        Charbonnier(0)


def test_gradient_l1_by_hand() -> None:
    """A ramp of 0.1 per column against flat gray: horizontal gradient 0.1 x 2 pixels x (1 + 2 + 1), vertical none."""
    ramp = torch.linspace(0, 0.4, 5).expand(2, 3, 4, 5)
    flat = torch.full_like(ramp, 0.7)
    torch.testing.assert_close(GradientL1()(ramp, flat), torch.tensor(0.8))
    torch.testing.assert_close(GradientL1()(ramp.mT, flat.mT), torch.tensor(0.8))
    assert GradientL1()(ramp, ramp + 0.3).item() < 1e-6  # A constant has no gradient.


def test_gradient_l1_is_sobels(random: torch.Generator) -> None:
    """Against the kernels as they are printed, slid over the image by torch."""
    sr, hr = (torch.rand(2, 3, 7, 6, generator=random) for _ in range(2))
    kernel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])

    def gradients(image: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(image.flatten(0, 1)[:, None], torch.stack([kernel, kernel.T])[:, None])

    expected = 2 * (gradients(sr) - gradients(hr)).abs().mean()  # The mean over both kinds is half their sum.
    torch.testing.assert_close(GradientL1()(sr, hr), expected)


def test_gradient_l1_refuses_images_without_inner_pixels() -> None:
    with pytest.raises(ValueError, match='at least 3x3 pixels side by side, got 2x2: raise queries'):
        GradientL1()(torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2))


def test_gram_by_hand() -> None:
    """Two pixels, red 1 and green 1: a Gram matrix of diag(1, 1, 0) / 6. Against black: two of nine entries."""
    colors = torch.tensor([[[1.0, 0], [0, 1], [0, 0]]])
    torch.testing.assert_close(GramRGB()(colors, torch.zeros_like(colors)), torch.tensor(2 / 36 / 9))
    # Two pixels of yellow: 2 / 6 in four entries.
    yellow = torch.tensor([[[1.0, 1], [1, 1], [0, 0]]])
    torch.testing.assert_close(GramRGB()(yellow, torch.zeros_like(yellow)), torch.tensor(4 / 9 / 9))


def test_shuffled_pixels_change_the_gradient_loss_and_not_the_gram_loss(random: torch.Generator) -> None:
    """Why the one needs neighbors and the other does not. Both images are shuffled alike."""
    sr, hr = (torch.rand(2, 3, 8, 8, generator=random) for _ in range(2))
    hr = 0.1 * hr + torch.linspace(0, 0.9, 8)
    order = torch.randperm(64, generator=random)

    def shuffled(image: torch.Tensor) -> torch.Tensor:
        return image.flatten(2)[:, :, order].unflatten(2, (8, 8))

    for loss, changes in ((GradientL1(), True), (GramRGB(), False), (PixelL1(), False)):
        ordered, mixed = loss(sr, hr).item(), loss(shuffled(sr), shuffled(hr)).item()
        assert loss.needs_neighbors is changes
        assert mixed != pytest.approx(ordered, rel=0.1) if changes else mixed == pytest.approx(ordered, rel=1e-5)


def test_gram_takes_scattered_pixels_and_images_alike(random: torch.Generator) -> None:
    sr, hr = (torch.rand(2, 3, 4, 6, generator=random) for _ in range(2))
    torch.testing.assert_close(GramRGB()(sr, hr), GramRGB()(sr.flatten(2), hr.flatten(2)))


@pytest.mark.parametrize('loss', [GradientL1(), GramRGB()])
def test_gradients_reach_every_pixel(loss: Loss, random: torch.Generator) -> None:
    sr = torch.rand(1, 3, 6, 6, generator=random).requires_grad_()
    loss(sr, torch.rand(1, 3, 6, 6, generator=random)).backward()
    assert sr.grad is not None
    # Sobel's kernel ignores its own centre, but every pixel is another's neighbor; signs may cancel for a few.
    assert (sr.grad != 0).float().mean() > 0.8


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

    monkeypatch.setattr(pipeline, 'find_class', find)
    with pytest.raises(ValueError, match=r'PixelL1 compares neighboring pixels.*sampling = SamplingType\.Scattered'):
        pipeline.build_step(TrainTiny(losses=(LossTerm(LossType.PixelL1),)), torch.device('cpu'))


def test_gradient_loss_refuses_scattered_pixels_and_names_the_setting() -> None:
    recipe = TrainTiny(losses=TrainGradLoss().losses)
    with pytest.raises(
        ValueError, match=r'GradientL1 compares neighboring pixels.*Set sampling = SamplingType\.Window'
    ):
        pipeline.build_step(recipe, torch.device('cpu'))
    for sampling in (SamplingType.Window, SamplingType.Crop):
        pipeline.build_step(TrainTiny(losses=TrainGradLoss().losses, sampling=sampling), torch.device('cpu'))
