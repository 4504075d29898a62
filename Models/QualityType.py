from enum import Enum


class QualityType(Enum):
    """The judges. A member names its class and file: `QualityType.PSNR` is `PSNR` in `Models/Quality/PSNR.py`."""

    PSNR = 'PSNR'
    """Peak signal-to-noise ratio in dB; higher is better."""

    SSIM = 'SSIM'
    """Structural similarity, at most 1; higher is better."""

    LPIPS = 'LPIPS'
    """Learned perceptual distance with the AlexNet backbone; lower is better."""
