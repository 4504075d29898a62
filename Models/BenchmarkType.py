from enum import Enum


class BenchmarkType(Enum):
    """The picture sets that a model is trained or tested on. `Datasets/benchmarks.py` has a row for each."""

    Photographs = 'Photographs'
    """The color photographs inside scikit-image's wheel: always there, too few for science."""

    BENCHMARK = 'BENCHMARK'
    """A folder of the user's own, given as `valid_data_path`."""

    Set5 = 'Set5'
    """Five pictures (Bevilacqua et al. 2012)."""

    Set14 = 'Set14'
    """Fourteen pictures (Zeyde et al. 2010)."""

    B100 = 'B100'
    """A hundred pictures of the Berkeley segmentation data set (Martin et al. 2001)."""

    Urban100 = 'Urban100'
    """A hundred pictures of buildings (Huang et al. 2015)."""

    DIV2K = 'DIV2K'
    """800 training and 100 validation pictures of 2K size (Agustsson and Timofte 2017)."""

    SVT = 'SVT'
    """Street View Text: photographs of signs (Wang et al. 2011)."""

    CelebA_HQ = 'CelebA_HQ'
    """Faces (Karras et al. 2018)."""
