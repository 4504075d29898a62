"""The counters count."""

import torch

from tests.counting import multiply_adds, peak_bytes


def test_products_are_counted_once_whatever_their_form() -> None:
    a, b, out = torch.rand(2, 3), torch.rand(3, 5), torch.rand(2, 5)
    assert multiply_adds(lambda: a @ b) == 30
    assert multiply_adds(lambda: torch.addmm(out, a, b)) == 30
    assert multiply_adds(lambda: out.addmm_(a, b)) == 30
    assert multiply_adds(lambda: torch.baddbmm(out[None], a[None], b[None])) == 30
    assert multiply_adds(lambda: a + a) == 0


def test_the_peak_is_of_what_lives_at_once() -> None:
    def freed_in_between() -> None:
        first = torch.zeros(1000)
        del first
        torch.zeros(500).view(5, 100).relu_()

    def alive_together() -> object:
        first = torch.zeros(1000)
        return first, first + 1

    assert peak_bytes(freed_in_between) == 4000
    assert peak_bytes(alive_together) == 8000
