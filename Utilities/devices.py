"""Where tensors live."""

import torch


def choose_device(setting: str) -> torch.device:
    """The device of a setting: `auto`, or a name as torch has it.

    Raises:
        ValueError: for a device that this machine or this torch does not have.
    """
    if setting == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(setting)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device must be 'auto', 'cpu' or a device of this machine, got {setting!r}: {reason}"
        ) from error
    return device
