"""Reduced pictures: XPixelGroup/BasicSR's `imresize` and Pillow's bicubic; yinboc/liif's training pairs from both."""

import re
from pathlib import Path

import numpy as np
import torch

from Datasets.BenchmarkImages import reduce_picture
from tests.readers import Meta
from tests.reference_files import Reference
from Utilities.coordinates import pixel_centers
from Utilities.resize import resize

NOT_OURS = re.compile(r'.*_noaa')
"""Reduction without antialiasing, which no protocol uses and `resize` does not offer."""


def claims(meta: Meta) -> bool:
    return meta.get('class') in ('imresize', 'SRImplicitDownsampled')


def check(reference: Reference) -> None:
    if reference.meta['class'] == 'imresize':
        check_resized(reference)
    else:
        check_pairs(reference)


def check_resized(reference: Reference) -> None:
    """Names end in the factor, such as `1_2.7`."""
    picture = reference.array('input/img')
    names = [name for name in reference.outputs if not NOT_OURS.fullmatch(name)]
    assert names
    for name in names:
        kind, larger, smaller = re.fullmatch(r'(basicsr_imresize|pil_bicubic)_(\d+)_([\d.]+)', name).groups()
        expected = reference.array(f'output/{name}')
        if kind == 'pil_bicubic':
            assert np.array_equal(resize(picture, expected.shape[:2], 'pillow'), expected), name
        else:
            # Floats: the nominal scale is kept, ceil(scale n) pixels are made.
            scale = int(larger) / float(smaller)
            found = resize(picture.astype(np.float64) / 255, expected.shape[:2], 'matlab', scale=(scale, scale))
            np.testing.assert_allclose(found, expected, atol=3e-6, err_msg=name)


def check_pairs(reference: Reference) -> None:
    """Sizes, crop and every LR pixel; coordinates to the last bit."""
    scales = [name.removesuffix('_inp')[1:] for name in reference.outputs if name.endswith('_inp')]
    assert scales
    for scale in scales:
        expected = {
            part: reference.array(f'output/s{scale}_{part}')
            for part in ('inp', 'hr_size', 'coord', 'cell', 'gt_first10', 'gt_sum')
        }
        lr, hr = reduce_picture(reference.array('input/img'), float(scale), 'pillow', Path('img'))
        assert np.array_equal(lr.transpose(2, 0, 1), expected['inp']), scale
        assert hr.shape[:2] == tuple(expected['hr_size']), scale
        rows, columns = (pixel_centers(count) for count in hr.shape[:2])
        assert np.array_equal(torch.cartesian_prod(rows, columns).numpy(), expected['coord']), scale
        np.testing.assert_allclose([2 / count for count in hr.shape[:2]], expected['cell'], rtol=1e-7)
        colors = hr.reshape(-1, 3)
        assert np.array_equal(colors[:10], expected['gt_first10']), scale
        assert np.array_equal(colors.sum(axis=0), expected['gt_sum']), scale
