from enum import Enum


class QualityType(Enum):
    """The metrics. A member names its class and file: `QualityType.PSNR` is `PSNR` in `Models/Quality/PSNR.py`."""

    PSNR = 'PSNR'
    """Peak signal-to-noise ratio in dB; higher is better."""

    SSIM = 'SSIM'
    """Structural similarity, at most 1; higher is better."""

    LPIPS = 'LPIPS'
    """Learned perceptual distance with the AlexNet backbone; lower is better."""

    LPIPS_VGG = 'LPIPS_VGG'
    """The same with VGG16."""

    LPIPS_Squeeze = 'LPIPS_Squeeze'
    """The same with SqueezeNet."""

    DISTS = 'DISTS'
    """Distance in structure and texture; lower is better."""

    MS_SSIM = 'MS_SSIM'
    """Structural similarity over five scales, at most 1; higher is better."""

    GMSD = 'GMSD'
    """Deviation of gradient similarity; lower is better."""

    FSIM = 'FSIM'
    """Feature similarity on gray, at most 1; higher is better."""

    FSIMc = 'FSIMc'
    """Feature similarity with colors, at most 1; higher is better."""

    VIFp = 'VIFp'
    """Visual information fidelity in the pixel domain, about 1 at best; higher is better."""

    SR_SIM = 'SR_SIM'
    """Similarity by spectral residual saliency, at most 1; higher is better."""

    NIQE = 'NIQE'
    """Distance from natural pictures, without a reference; lower is better."""
