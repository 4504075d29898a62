from typing import Literal

from Configuration.FrozenConfiguration import FrozenConfiguration


class ComputationSettings(FrozenConfiguration):
    """How it is computed. All of it changes the numbers, so none may differ from a checkpoint's."""

    precision: Literal['float32', 'bfloat16', 'float16'] = 'float32'
    """What encoder and decoder compute their convolutions and products in while training. Weights, coordinates, the
    loss, the update and validation are float32 always. float16 scales the loss so that small gradients do not vanish,
    and skips updates whose gradients overflow, with a warning. float32, as the protocols here were published."""

    tf32: bool = True
    """Let a GPU from Ampere on round the factors of float32 products to 10 bits while training; validation is exact.
    It has no effect on a CPU. True: much faster there, and torch itself has it so for convolutions."""

    channels_last: bool = True
    """Keep the encoder's weights and images with the channels side by side in memory. Which is faster depends on the
    machine: on a CPU (EDSR-LIIF) it saved 5 % in float32 and 18 % in bfloat16; on a GPU it has not been measured."""

    compile: bool = False
    """Compile the network by `torch.compile` for training, which needs a C++ compiler, on a GPU Triton too. The first
    batches take minutes; whether the others are faster depends on the machine (on a CPU EDSR-LIIF was 39 % slower). A
    resumed run may then differ in the last bits, as compiled code depends on the shapes seen before. False: try it
    first."""
