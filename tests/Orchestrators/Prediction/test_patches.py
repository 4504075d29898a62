from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from Orchestrators.Prediction.patches import split_axis

COUNTS = st.integers(1, 60)


@given(lr_count=COUNTS, count=st.integers(1, 300), side=COUNTS, margin=st.integers(0, 20))
def test_each_pixel_is_answered_by_the_tile_that_its_centre_falls_into(
    lr_count: int, count: int, side: int, margin: int
) -> None:
    """At any scale, by fractions; and once."""
    spans = split_axis(lr_count, count, side, margin)
    assert [pixel for span in spans for pixel in span.pixels] == list(range(count))
    for span in spans:
        for pixel in span.pixels:
            tile = int((pixel + Fraction(1, 2)) * lr_count / count) // side
            first, last = tile * side, min(tile * side + side, lr_count)
            assert span.crop == range(max(first - margin, 0), min(last + margin, lr_count))
