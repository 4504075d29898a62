"""Official files of the published networks, read and converted: `python -m Orchestrators.convert FILE`.

`key_maps` has our key for each official one, `specifications` reads the name and arguments that files of LIIF's family
carry, `recognition` and `shapes` read keys and shapes where files say no more, `generators` the constructor arguments
of the other repositories.
"""

from Models.published_checkpoints.files import PublishedFile, read_published
from Models.published_checkpoints.key_maps import (
    KeyMap,
    from_basicsr_edsr,
    from_basicsr_rcan,
    from_liif,
    from_liif_encoder,
    from_liif_native,
    from_mm_edsr,
    from_mm_rdn,
    from_mm_swinir,
    from_swinir,
)
from Models.published_checkpoints.PublishedNetwork import KeyReport, PublishedNetwork, UnknownNetworkError, load_weights
from Models.published_checkpoints.recognition import recognise
from Models.published_checkpoints.specifications import from_specification

__all__ = [
    'KeyMap',
    'KeyReport',
    'PublishedFile',
    'PublishedNetwork',
    'UnknownNetworkError',
    'from_basicsr_edsr',
    'from_basicsr_rcan',
    'from_liif',
    'from_liif_encoder',
    'from_liif_native',
    'from_mm_edsr',
    'from_mm_rdn',
    'from_mm_swinir',
    'from_specification',
    'from_swinir',
    'load_weights',
    'read_published',
    'recognise',
]
