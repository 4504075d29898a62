"""Geometric self-ensemble: the mean of what a network makes of a picture turned and mirrored.

Paper: Timofte et al., CVPR 2016, https://arxiv.org/abs/1511.02228 (eight views; EDSR's `+`). Thera takes the
four rotations.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from Orchestrators.Prediction.prediction import Prediction, Predictor

Views = Literal[1, 4, 8]


def self_ensembled(predict: Predictor, views: Views) -> Predictor:
    """A predictor whose pictures are means over 4 rotations, or 8 with their mirror images; 1: as it is."""
    return predict if views == 1 else SelfEnsemble(predict, views)


class SelfEnsemble:
    """The mean over views of a picture, each turned back, added up one after the other.

    It is as symmetric as the views: of a turned picture (with 8 views, also of a mirrored one) it is turned alike.

    Args:
        predict: how each view goes through a network. Views that lie on their side are asked for at the size with
            height and width exchanged, so scales may differ per axis.
        views: 4 or 8.
    """

    def __init__(self, predict: Predictor, views: Views) -> None:
        self._predict = predict
        self._views = views

    def __call__(self, lr: Float[Tensor, '1 3 h w'], size: tuple[int, int]) -> Prediction:
        total: Tensor | None = None
        why: str | None = None
        for view in range(self._views):
            seen = self._predict(_turned(lr, view).contiguous(), _turned_size(size, view))
            why = why or seen.why
            back = _turned_back(seen.image, view)
            # In place, as a large picture and its sum are all that may have been reckoned with.
            total = back.clone() if total is None else total.add_(back)
        assert total is not None
        return Prediction(total.div_(self._views), why)


def _turned(image: Float[Tensor, '1 3 h w'], view: int) -> Float[Tensor, '1 3 _ _']:
    mirrored = image.flip(-1) if view >= 4 else image  # noqa: PLR2004  four rotations, then those of the mirror image
    return torch.rot90(mirrored, view % 4, (-2, -1))


def _turned_back(image: Float[Tensor, '1 3 h w'], view: int) -> Float[Tensor, '1 3 _ _']:
    upright = torch.rot90(image, -(view % 4), (-2, -1))
    return upright.flip(-1) if view >= 4 else upright  # noqa: PLR2004


def _turned_size(size: tuple[int, int], view: int) -> tuple[int, int]:
    return (size[1], size[0]) if view % 2 else size
