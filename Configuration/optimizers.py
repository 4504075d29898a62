"""Optimizers, as values: `optimizer = Adam(betas=(0.9, 0.99))`. The learning rate is a setting of its own."""

from typing import Annotated, TypeAlias

from Configuration.FrozenConfiguration import Range, Value

_Share = Annotated[float, Range(0, 0.99999)]
_Epsilon = Annotated[float, Range(1e-30, 1)]
_Decay = Annotated[float, Range(0, 10)]


class Adam(Value):
    """Steps of the mean gradient over the root of its mean square (Kingma, Ba 2015, https://arxiv.org/abs/1412.6980)."""

    betas: tuple[_Share, _Share] = (0.9, 0.999)
    """Share that the moving averages of the gradient and of its square keep of themselves at each update."""

    epsilon: _Epsilon = 1e-8
    """Added to that root."""

    weight_decay: _Decay = 0.0
    """Times the weight, added to its gradient (an L2 penalty)."""


class AdamW(Value):
    """Adam with a decay apart from the gradients (Loshchilov, Hutter, ICLR 2019, https://arxiv.org/abs/1711.05101)."""

    betas: tuple[_Share, _Share] = (0.9, 0.999)
    """As Adam's."""

    epsilon: _Epsilon = 1e-8
    """As Adam's."""

    weight_decay: _Decay = 0.01
    """Part of each weight, times the learning rate, that it loses at each update. 0.01: torch's."""


Optimizer: TypeAlias = Adam | AdamW
