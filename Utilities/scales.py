"""A scale is one number, or one per axis; this is how it is read and written."""

AnyScale = float | tuple[float, float]
"""HR size over LR size: for both axes, or (vertical, horizontal), in the order of shapes."""


def scale_per_axis(scale: AnyScale) -> tuple[float, float]:
    """(vertical, horizontal)."""
    return scale if isinstance(scale, tuple) else (scale, scale)


def scale_text(scale: AnyScale) -> str:
    """`2.7`, or `2x3.5` as people say sizes: width first. Fits into file names and reads back with six digits."""
    vertical, horizontal = scale_per_axis(scale)
    return f'{vertical:g}' if vertical == horizontal else f'{horizontal:g}x{vertical:g}'
