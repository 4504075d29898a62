import pytest

from Models.Decoders.SRNO import SRNO


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match='width must be a multiple of heads, both at least 1, got 256 and 7'):
        SRNO(64, heads=7)
