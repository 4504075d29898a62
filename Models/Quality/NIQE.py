"""NIQE: natural image quality evaluator, without a reference, by pyiqa where the user has installed it.

Paper: Mittal, Soundararajan, Bovik, IEEE SPL 2013, https://doi.org/10.1109/LSP.2012.2227726. Its numbers hang on the
authors' file of 36 means and their covariance, which no package carries that the framework could depend on: pyiqa is
under a noncommercial license and adds about 1 GB. Nothing is downloaded here, so the file has to be on the disk.
"""

import math
from pathlib import Path
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from Models.Quality.QualityModel import QualityModel
from Utilities.optional import UnavailableError, import_optional

_FILE = 'niqe_modelparameters.mat'
_ADDRESS = f'https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main/{_FILE}'


class NIQE(QualityModel):
    """Distance from the statistics of natural pictures; lower is better. The reference is not looked at.

    Raises:
        UnavailableError: if the package or its file is missing, with how to get it.
    """

    higher_is_better: ClassVar[bool] = False
    score_range: ClassVar[tuple[float, float]] = (0, math.inf)
    decimals: ClassVar[int] = 3
    color: ClassVar[Literal['protocol', 'RGB']] = 'RGB'
    needs_reference: ClassVar[bool] = False
    minimum_side: ClassVar[int] = 192
    """Its statistics are over blocks of 96x96 pixels, of which one alone has no covariance."""

    needs: ClassVar[str] = f'pyiqa, {_FILE}'

    def __init__(self) -> None:
        super().__init__()
        pyiqa = import_optional('pyiqa', 'NIQE', 'pyiqa (noncommercial license, about 1 GB)')
        path = Path(torch.hub.get_dir()) / 'pyiqa' / _FILE
        if not path.is_file():
            raise UnavailableError(
                f'NIQE can not be used: its parameters are not at {path}. Download {_ADDRESS} there.'
            )
        try:
            self.network = pyiqa.create_metric('niqe', device=torch.device('cpu'), pretrained_model_path=str(path))
        except (OSError, RuntimeError, TypeError, ValueError) as error:
            raise UnavailableError(f'NIQE can not be used: pyiqa can not make it: {error}') from error

    def forward(
        self, image: Float[Tensor, 'batch 3 height width'], reference: Float[Tensor, 'batch 3 height width']
    ) -> Float[Tensor, ' batch']:
        return self.network(image.float()).reshape(-1)
