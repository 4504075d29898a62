"""The report: everything in it, nothing from outside, nothing from a table taken for markup, and it can be read."""

import html.parser
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from Configuration import BaseTestingConfiguration
from Models import BenchmarkType, QualityType
from Orchestrators.Comparison.comparisons import compare
from Orchestrators.Comparison.findings import Findings
from Orchestrators.Comparison.metrics import metrics_of
from Orchestrators.Comparison.result_files import read_results
from Orchestrators.Comparison.scores import gather_scores
from Orchestrators.Comparison.shown_pictures import PictureUnavailableError, ShownPictures
from Orchestrators.Prediction.trained_model import load_trained_model
from Orchestrators.report import write_report
from Orchestrators.TestingOrchestrator import TestingOrchestrator
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PATIENCE, PictureMaker
from tests.result_tables import bicubic, model, write
from tests.tiny import TrainTiny
from Utilities.images import to_pixels, to_tensor
from Utilities.resize import resize

ROOT = Path(__file__).parents[3]
BORDER_PX = 2


def findings_of(entries: Sequence[str | Path], baseline: str | None = None) -> Findings:
    files = read_results(entries)
    scores = gather_scores(files.pictures)
    results = compare(scores, metrics_of(files.pictures, 'PSNR'), baseline=baseline, resamples=200)
    return Findings(files, scores, results, baseline, 200, 0)


def report(entries: Sequence[str | Path], *, pictures: Path | None = None, crops: int = 2) -> str:
    findings = findings_of(entries)
    write_report(findings, ShownPictures(findings.scores, pictures=pictures), Path('out/report.html'), crops)
    return Path('out/report.html').read_text(encoding='utf-8')


class Elements(html.parser.HTMLParser):
    """The elements of a page with their attributes, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def psnr(picture: np.ndarray, hr: np.ndarray) -> float:
    inner = (slice(BORDER_PX, -BORDER_PX), slice(BORDER_PX, -BORDER_PX))
    error = np.mean((picture[inner].astype(np.float64) - hr[inner]) ** 2)
    return 10 * math.log10(255**2 / error)


@pytest.fixture
def study(make_pictures: PictureMaker) -> Path:
    """Three recipes, the first with two seeds, tested on own pictures and at a second scale; pictures saved at x2."""
    files = make_pictures(height=80, width=96)
    random = np.random.default_rng(0)
    same = {'benchmark': 'BENCHMARK', 'color': 'RGB', 'border_px': str(BORDER_PX), 'lr': 'pillow bicubic'}
    for name, seed, noise in (('Simple', '0', 6), ('Simple', '1', 7), ('GradLoss', '0', 8), ('Others', '0', 15)):
        folder = Path(f'study/seed{seed}')
        scores, enlarged = [], []
        for file in files:
            hr = np.asarray(Image.open(file))
            sr = np.clip(hr + random.normal(0, noise, hr.shape), 0, 255).round().astype(np.uint8)
            saved = folder / f'model_states_EDSR_LIIF_{name}_Patch_24_Scale_1_4_best' / 'BENCHMARK_x2' / file.name
            saved.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(sr).save(saved)
            scores.append(psnr(sr, hr))
            lr = resize(hr, (hr.shape[0] // 2, hr.shape[1] // 2), 'pillow')
            enlarged.append(psnr(np.asarray(resize(lr, hr.shape[:2], 'matlab', rounds_between_passes=False)), hr))
        rows = []
        for scale, loss in (('2', 0.0), ('3.5', 2.0)):
            rows += bicubic([score - loss for score in enlarged], scale=scale, **same)
            named = [row | {'picture': row['picture'].replace('p', 'picture_')} for row in
                     model(name, [score - loss for score in scores], seed=seed, scale=scale, **same)]  # fmt: skip
            rows += named
        rows = [row | {'picture': re.sub('^p(?=[0-9])', 'picture_', row['picture'])} for row in rows]
        stem = f'model_states_EDSR_LIIF_{name}_Patch_24_Scale_1_4_best'
        write(folder / f'{stem}_images.csv', rows)
        cost = {'parameters': str(1000 + 10 * noise), 'seconds_per_picture': '0.5'}
        write(folder / f'{stem}.csv', [row | cost for row in rows if row['picture'] == 'picture_0'])
    return Path('study')


def test_the_report_has_every_mean_and_difference(study: Path) -> None:
    page = Elements(report([study], pictures=Path('pictures')))
    texts = ' '.join(page.texts)
    findings = findings_of([study])
    for result in findings.results:
        for standing in result.standings:
            assert f'{standing.mean:.3f}' in texts
        for model_name in (standing.model for standing in result.standings[1:]):
            comparison = result.against(model_name, result.standings[0].model)
            assert comparison is not None
            assert f'−{abs(comparison.difference):.3f}' in texts
    for name in ('EDSR-LIIF Simple', 'EDSR-LIIF GradLoss', 'EDSR-LIIF Others', 'bicubic', 'BENCHMARK x3.5'):
        assert name in texts
        assert name in Path('out/report.md').read_text(encoding='utf-8')
        assert name in Path('out/report.tex').read_text(encoding='utf-8')
    for fact in ('liif', '0.1.0+1234567', 'GradLoss0', 'seed 1', 'One seed', '3 pictures'):
        assert fact in texts
    assert Path('out/comparison.csv').read_text(encoding='utf-8').count('\n') == 1 + 2 * 6


def test_the_report_needs_nothing_from_outside(study: Path) -> None:
    text = report([study], pictures=Path('pictures'))
    page = Elements(text)
    addresses = [value or '' for _, attributes in page.elements for name, value in attributes.items()
                 if name in ('src', 'href', 'srcset', 'action', 'data')]  # fmt: skip
    assert len(addresses) > 20
    assert [address[:40] for address in addresses if not address.startswith(('data:', '#'))] == []
    assert 'url(' not in text
    assert '@import' not in text
    assert "default-src 'none'" in text


def test_names_from_tables_are_text_and_never_markup(tmp_path: Path) -> None:
    evil = '<script>alert(1)</script>'
    rows = model(evil, [30, 31], benchmark='Set5"><img src=x onerror=alert(2)>', device='{{ 7 * 7 }}')
    rows += model('$\\frac{1', [29, 31], benchmark='Set5"><img src=x onerror=alert(2)>', protocol='liif')
    page = Elements(report([write(tmp_path / 'm_images.csv', rows)]))
    assert [tag for tag, _ in page.elements].count('script') == 1
    assert not [tag for tag, attributes in page.elements if 'onerror' in attributes]
    texts = ' '.join(page.texts)
    assert evil in texts
    assert '{{ 7 * 7 }}' in texts


def test_crops_come_from_saved_pictures_that_have_the_tables_score(study: Path) -> None:
    text = report([study], pictures=Path('pictures'))
    titles = [found for found in Elements(text).texts if 'between the best and the worst network' in found]
    # One row for each test; the pictures at x3.5 were not saved.
    (title,) = titles
    assert 'BENCHMARK x2' in title
    shown = ShownPictures(findings_of([study]).scores, pictures=Path('pictures'))
    test = next(test for test in findings_of([study]).scores.tests if test.scale == '2')
    picture = shown.get(test, 'picture_1')
    assert list(picture.sr)[0] == 'bicubic'
    saved = study / 'seed0' / 'model_states_EDSR_LIIF_Simple_Patch_24_Scale_1_4_best' / 'BENCHMARK_x2' / 'picture_1.png'
    assert np.array_equal(picture.sr['EDSR-LIIF Simple'], np.asarray(Image.open(saved)))
    assert np.array_equal(picture.hr, np.asarray(Image.open('pictures/picture_1.png')))
    Image.fromarray(picture.hr).save(saved)
    with pytest.raises(PictureUnavailableError, match=r'no saved picture of these scores.*--checkpoints'):
        shown.get(test, 'picture_1')


def test_without_pictures_the_report_says_how_to_get_them(study: Path) -> None:
    texts = ' '.join(Elements(report([study])).texts)
    assert 'No pictures could be shown' in texts
    assert 'name the folder of its HR pictures with --pictures' in texts


def test_pictures_are_made_again_from_the_checkpoint_with_the_tables_weights(make_pictures: PictureMaker) -> None:
    files = make_pictures(count=1)
    TrainingOrchestrator(TrainTiny(epochs=1)).train()
    TestingOrchestrator(
        BaseTestingConfiguration(
            recipe='Tiny', input_patch=8, scale_range=(1, 2), benchmark=BenchmarkType.BENCHMARK, device='cpu',
            valid_data_path='pictures', metrics=(QualityType.PSNR,), eval_scale=2,
        )
    ).test()  # fmt: skip
    scores = findings_of(['results']).scores
    (test,) = scores.tests
    checkpoint = Path('model_states_EDSR_LIIF_Tiny_Patch_8_Scale_1_2_best.pth')
    shown = ShownPictures(scores, [Path()], Path('pictures')).get(test, 'picture_0')
    lr = np.asarray(resize(np.asarray(Image.open(files[0])), (20, 24), 'pillow'), dtype=np.uint8)
    network = load_trained_model(checkpoint, torch.device('cpu')).network
    expected = to_pixels(network.upscale(to_tensor(lr)[None], (40, 48))[0])
    assert np.array_equal(shown.sr['EDSR-LIIF Tiny'], expected)
    assert np.array_equal(shown.lr, lr)

    checkpoint.unlink()
    TrainingOrchestrator(TrainTiny(epochs=1, seed=5, save_path='elsewhere')).train()
    (Path('elsewhere') / checkpoint.name).rename(checkpoint)
    with pytest.raises(PictureUnavailableError, match='no saved picture'):
        ShownPictures(scores, [Path()], Path('pictures')).get(test, 'picture_0')


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
    return subprocess.run(
        [sys.executable, '-m', module, *arguments], env=environment, capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip


def test_the_commands_write_what_they_say(study: Path) -> None:
    compared = run('Orchestrators.compare', str(study), '--resamples', '200')
    assert compared.returncode == 0, compared.stderr
    assert 'BENCHMARK x3.5: 3 pictures, protocol liif' in compared.stdout
    assert 'expanded percentile bootstrap, 200 resamples' in compared.stdout
    assert Path('results/comparison.csv').is_file()
    reported = run('Orchestrators.report', str(study), '--pictures', 'pictures', '--crops', '1', '--metric', 'PSNR')
    assert reported.returncode == 0, reported.stderr
    for name in ('report.html', 'report.md', 'report.tex', 'comparison.csv'):
        assert f'Wrote {Path("results") / name}' in reported.stdout


PROBE = """
<script>
addEventListener('load', () => {
  const problems = [];
  const name = element => element.tagName + ' ' + (element.alt || element.textContent).trim().slice(0, 40);
  for (const image of document.images)
    if (!(image.complete && image.naturalWidth > 0)) problems.push('not loaded: ' + name(image));
  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth) problems.push('the page scrolls sideways: ' + page.scrollWidth);
  const outside = [...document.querySelectorAll('body *')].filter(element => !element.closest('table, script, svg'));
  for (const element of outside) {
    const wide = element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== 'inline';
    if (wide && !element.matches('.scroll')) problems.push('wider than its place: ' + name(element));
  }
  const blocks = [...document.querySelectorAll('h1, h2, h3, p, li, dt, dd, img, figcaption, .scroll')];
  const boxes = blocks.map(element => element.getBoundingClientRect());
  for (let one = 0; one < blocks.length; one++) for (let other = one + 1; other < blocks.length; other++) {
    const width = Math.min(boxes[one].right, boxes[other].right) - Math.max(boxes[one].left, boxes[other].left);
    const height = Math.min(boxes[one].bottom, boxes[other].bottom) - Math.max(boxes[one].top, boxes[other].top);
    if (width > 1 && height > 1 && !blocks[one].contains(blocks[other]))
      problems.push('overlap: ' + name(blocks[one]) + ' | ' + name(blocks[other]));
  }
  parent.postMessage({width: innerWidth, images: document.images.length, problems}, '*');
});
</script>
"""
FRAMES = """<!doctype html><pre id="found"></pre><script>
const found = [];
addEventListener('message', event => {
  found.push(event.data);
  document.getElementById('found').textContent = JSON.stringify(found);
});
</script>"""


def look(page: Path, text: str, widths: Sequence[int]) -> list[dict[str, object]]:
    """What a browser finds wrong with a page in windows of some widths. Frames, as windows have a smallest width."""
    installed = map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))
    browser = next((path for path in installed if path is not None), None)
    if browser is None:
        pytest.skip('There is no Chromium to open the report in.')
    page.write_text(text.replace('</body>', PROBE + '</body>'), encoding='utf-8')
    style = 'height:900px;border:0'
    frames = ''.join(f'<iframe src="{page.name}" style="width:{width}px;{style}"></iframe>' for width in widths)
    wrapper = page.with_name('frames.html')
    wrapper.write_text(FRAMES + frames, encoding='utf-8')
    command = [
        browser, '--headless=new', '--no-sandbox', '--disable-gpu', '--virtual-time-budget=10000', '--dump-dom',
        '--window-size=1400,1000', f'--user-data-dir={page.parent / "browser"}', wrapper.resolve().as_uri(),
    ]  # fmt: skip
    dumped = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    match = re.search(r'<pre id="found">(.*?)</pre>', dumped, re.DOTALL)
    assert match is not None
    assert match[1], 'the page did not answer'
    return json.loads(html.unescape(match[1]))


def test_in_a_browser_every_picture_loads_and_nothing_overlaps(study: Path) -> None:
    text = report([study], pictures=Path('pictures'))
    pictures = [tag for tag, _ in Elements(text).elements].count('img')
    found = look(Path('out/seen.html'), text, (1280, 390))
    assert sorted(window['width'] for window in found) == [390, 1280]
    assert [(window['images'], window['problems']) for window in found] == [(pictures, [])] * 2
    assert pictures >= 2 + 4 + 2 + 6


def test_the_browser_finds_planted_faults(study: Path) -> None:
    faults = (
        '<style>h2 { margin-bottom: -30px; }</style><img src="data:image/png;base64,AAAA" alt="broken">'
        '<p style="width: 500px">too wide</p></body>'
    )
    (window,) = look(Path('out/seen.html'), report([study]).replace('</body>', faults), (390,))
    problems = window['problems']
    assert isinstance(problems, list)
    for kind in ('not loaded: IMG broken', 'the page scrolls sideways', 'overlap: H2'):
        assert any(problem.startswith(kind) for problem in problems), problems
