from typing import Any

import pytest
import torch

from Models.Encoders.SwinIR import DropPath, SwinIR, merge_windows, shift_mask, split_windows


def tiny(**options: Any) -> SwinIR:
    return SwinIR(**{'window_size': 4, 'embed_dim': 12, 'depths': (2,), 'num_heads': (2,), **options}).eval()


@torch.inference_mode()
def test_features_are_those_of_the_padded_image_cropped_back(random: torch.Generator) -> None:
    encoder, image = tiny(), torch.rand(1, 3, 13, 10, generator=random)
    padded = encoder.extract_padded(image)
    assert padded.shape == (1, 64, 16, 12)
    assert torch.equal(encoder(image), padded[..., :13, :10])


def test_features_are_those_of_the_last_convolution_or_of_the_blocks() -> None:
    assert (tiny().feature_dim, tiny(conv_before_upsample=False).feature_dim) == (64, 12)


def test_windows_are_put_back_where_they_were() -> None:
    tokens = torch.rand(2, 8, 12, 3)
    windows = split_windows(tokens, 4)
    assert torch.equal(windows[1, 4], tokens[1, 4:8, 4:8].reshape(16, 3))
    assert torch.equal(merge_windows(windows, 4, (8, 12)), tokens)


def test_shifted_attention_joins_neighbors_only() -> None:
    """By hand: two pixels of a rolled window may attend to each other if they are less than a window apart."""
    height, width, window = 8, 12, 4
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    place = torch.stack([rows, columns], dim=-1).roll((-2, -2), dims=(0, 1)).double()
    of_window = split_windows(place[None], window)[0]  # (windows, n, 2)
    apart = (of_window[:, :, None] - of_window[:, None]).abs().amax(dim=-1) >= window
    mask = shift_mask((height, width), window, like=place)[:, 0]
    assert torch.equal(mask == 0, ~apart)
    assert apart.any()


def test_three_convolutions_end_each_group_on_request() -> None:
    encoder = tiny(resi_connection='3conv')
    assert encoder(torch.rand(1, 3, 5, 7)).shape == (1, 64, 5, 7)
    assert encoder.state_dict()['layers.0.conv.4.weight'].shape == (12, 3, 3, 3)


@pytest.mark.parametrize('size', [(1, 1), (2, 3), (4, 9)])
def test_any_size_has_features_of_that_size(size: tuple[int, int]) -> None:
    assert tiny()(torch.rand(1, 3, *size)).shape == (1, 64, *size)


def test_dropped_paths_keep_the_mean_and_stop_outside_of_training() -> None:
    torch.manual_seed(0)
    drop = DropPath(0.25)
    ones = torch.ones(4000, 2)
    kept = drop.train()(ones)
    assert set(kept.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert torch.equal(kept[:, 0], kept[:, 1])
    assert kept.mean().item() == pytest.approx(1, abs=0.05)
    assert drop.eval()(ones) is ones


def test_gradient_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    encoder = tiny()
    encoder(torch.rand(1, 3, 7, 9)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in encoder.parameters())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'window_size': 0}, 'window_size must be at least 1, got 0'),
        ({'depths': (2, 2)}, r'depths and num_heads must name .* got \(2, 2\) and \(2,\)'),
        ({'num_heads': (5,)}, r'embed_dim must be a multiple of each of num_heads, got 12 and \(5,\)'),
        ({'drop_path': 1.0}, 'drop_path must be from 0 to below 1, got 1.0'),
        ({'resi_connection': '2conv'}, "resi_connection must be '1conv' or '3conv', got '2conv'"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**options)
