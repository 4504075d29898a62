from typing import ClassVar

from Models.Quality.LPIPS import LPIPS


class LPIPS_VGG(LPIPS):  # noqa: N801  as papers write it
    """LPIPS with the VGG16 backbone; its values are not to be compared with those of AlexNet."""

    minimum_side: ClassVar[int] = 16
    """VGG16's poolings leave nothing of smaller pictures."""

    net: ClassVar[str] = 'vgg'
    file: ClassVar[str] = 'vgg16-397923af.pth'
    size_mb: ClassVar[int] = 528
    needs: ClassVar[str] = 'vgg16-397923af.pth'
