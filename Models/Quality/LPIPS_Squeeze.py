from typing import ClassVar

from Models.Quality.LPIPS import LPIPS


class LPIPS_Squeeze(LPIPS):  # noqa: N801  as papers write it
    """LPIPS with the SqueezeNet 1.1 backbone; its values are not to be compared with those of AlexNet."""

    minimum_side: ClassVar[int] = 17
    """SqueezeNet's poolings leave nothing of smaller pictures."""

    net: ClassVar[str] = 'squeeze'
    file: ClassVar[str] = 'squeezenet1_1-b8a52dc0.pth'
    size_mb: ClassVar[int] = 5
    needs: ClassVar[str] = 'squeezenet1_1-b8a52dc0.pth'
