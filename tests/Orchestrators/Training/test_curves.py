"""What `curves.png` shows, asked of matplotlib; whether it is beautiful, only eyes can tell."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from Orchestrators.Training import curves
from Orchestrators.Training.curves import Curve, Panel, draw_curves

pytest.importorskip('matplotlib')

ROWS = [
    {'epoch': epoch, 'samples_seen': 100 * epoch, 'loss': 0.5**epoch, 'part': -1.0 * epoch, 'rate': 1e-3}
    | ({'psnr_x2': 20.0 + epoch} if epoch % 2 else {})
    for epoch in range(1, 8)
]
PANELS = [
    Panel('Loss', [Curve('loss', 'loss'), Curve('part', '0.5 x part', 0.5), Curve('absent', 'absent')]),
    Panel('PSNR', [Curve('psnr_x2', 'x2')], best_epoch=5),
    Panel('SSIM', [Curve('ssim_x2', 'x2')]),
    Panel('Rate', [Curve('rate', 'rate')], steps=True),
]


def test_each_panel_shows_its_columns_over_samples_seen() -> None:
    figure = curves.make_figure(ROWS, PANELS, 'Title')
    loss, psnr, rate = figure.axes  # None for SSIM, which the rows lack.
    assert [axes.get_title('left') for axes in figure.axes] == ['Loss', 'PSNR', 'Rate']
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ['loss', '0.5 x part']
    assert loss.lines[0].get_xydata().tolist() == [[100 * epoch, 0.5**epoch] for epoch in range(1, 8)]
    assert loss.lines[1].get_ydata().tolist() == [-0.5 * epoch for epoch in range(1, 8)]
    assert psnr.lines[0].get_xydata().tolist() == [[100, 21], [300, 23], [500, 25], [700, 27]]
    assert [text.get_text() for text in psnr.get_legend().get_texts()] == ['x2', 'best: epoch 5']
    assert set(psnr.lines[1].get_xdata()) == {500}
    assert rate.get_xlabel() == 'samples seen'
    assert (loss.get_yscale(), rate.get_yscale()) == ('linear', 'linear')  # Negative values; one value.


def test_values_of_several_magnitudes_are_shown_logarithmically_and_others_not() -> None:
    for column, scale in (('loss', 'log'), ('psnr_x2', 'linear')):
        (axes,) = curves.make_figure(ROWS, [Panel('', [Curve(column, column)])], '').axes
        assert axes.get_yscale() == scale


def test_legends_lie_beside_the_lines() -> None:
    figure = curves.make_figure(ROWS, PANELS, 'Title')
    figure.canvas.draw()
    for axes in figure.axes[:2]:
        assert axes.get_legend().get_window_extent().x0 > axes.get_window_extent().x1
        assert axes.get_legend().get_window_extent().x1 < figure.bbox.x1


def test_what_is_not_finite_is_a_gap(tmp_path: Path) -> None:
    rows = [dict(ROWS[0]), dict(ROWS[2]) | {'loss': math.inf, 'psnr_x2': math.nan}]
    draw_curves(rows, PANELS, '', tmp_path / 'curves.png')
    (axes,) = curves.make_figure(rows, PANELS[:1], '').axes
    assert np.isnan(axes.lines[0].get_ydata()).tolist() == [False, True]


def test_the_picture_is_whole_and_replaces_the_one_before(tmp_path: Path) -> None:
    (tmp_path / 'curves.png').write_text('before')
    draw_curves(ROWS, PANELS, 'Title', tmp_path / 'curves.png')
    with Image.open(tmp_path / 'curves.png') as picture:
        assert picture.format == 'PNG'
        assert np.asarray(picture.convert('L')).std() > 10  # Something is drawn.
    assert [file.name for file in tmp_path.iterdir()] == ['curves.png']


def test_colors_stay_apart_for_the_color_blind() -> None:
    """Seen by deuteranopes (Machado, Oliveira, Fernandes 2009, severity 1): differences of at least 10 in CIELAB."""
    from skimage.color import rgb2lab

    deuteranopia = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    colors = np.array([[int(color[start : start + 2], 16) for start in (1, 3, 5)] for color in curves._COLORS]) / 255
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ deuteranopia.T, 0, 1)
    seen = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    for picture in (colors, seen):
        lab = rgb2lab(picture[None])[0]
        distances = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
        assert distances[~np.eye(len(lab), dtype=bool)].min() > 10


def test_matplotlib_is_imported_late_and_without_pyplot(tmp_path: Path) -> None:
    script = (
        'import sys, pathlib, Orchestrators.TrainingOrchestrator; assert "matplotlib" not in sys.modules\n'
        'from Orchestrators.Training.curves import Curve, Panel, draw_curves\n'
        'rows = [{"epoch": 1, "samples_seen": 1, "loss": 1.0}]\n'
        'draw_curves(rows, [Panel("", [Curve("loss", "loss")])], "", pathlib.Path(sys.argv[1]))\n'
        'assert "matplotlib.pyplot" not in sys.modules'
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, '-c', script, str(tmp_path / 'curves.png')]
    assert subprocess.run(command, cwd=root, check=False).returncode == 0
