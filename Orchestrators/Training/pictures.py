"""Side-by-side pictures for the eye."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from Utilities.images import Pixels

_LABEL_HEIGHT = 22
_GAP = 6


def most_detailed_window(picture: Pixels, side: int) -> tuple[int, int]:
    """Top and left of the square window with the strongest edges, on a grid of half windows."""
    gray = picture.mean(axis=-1)
    edges = np.zeros_like(gray)
    edges[:, 1:] += np.abs(np.diff(gray, axis=1))
    edges[1:] += np.abs(np.diff(gray, axis=0))
    height, width = gray.shape
    step = max(1, side // 2)
    places = [
        (top, left)
        for top in range(0, max(1, height - side + 1), step)
        for left in range(0, max(1, width - side + 1), step)
    ]
    return max(places, key=lambda place: edges[place[0] : place[0] + side, place[1] : place[1] + side].sum())


def labeled_strip(panels: Sequence[tuple[str, Pixels]], side: int) -> Pixels:
    """Pictures side by side, each enlarged to `side` pixels square without smoothing, with its name above it."""
    canvas = Image.new('RGB', (len(panels) * (side + _GAP) - _GAP, side + _LABEL_HEIGHT), 'white')
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=14)
    for number, (label, pixels) in enumerate(panels):
        left = number * (side + _GAP)
        draw.text((left + 2, 2), label, fill='black', font=font)
        canvas.paste(Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST), (left, _LABEL_HEIGHT))
    return np.asarray(canvas)
