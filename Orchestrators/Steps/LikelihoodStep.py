"""Training by likelihood: make the true colors more probable. Nothing is predicted, so there is no PSNR to log."""

from collections.abc import Callable

from torch import Tensor
from torch.optim import Optimizer

from Datasets.TrainingCrops import TrainingBatch
from Models.SuperResolver import SuperResolver
from Orchestrators.Steps.schedules import Schedule
from Orchestrators.Steps.StepSettings import StepSettings
from Orchestrators.Steps.SupervisedStep import SupervisedStep
from Utilities.distributed import ALONE, Ranks

_PLAIN = StepSettings()


class LikelihoodStep(SupervisedStep):
    """One network whose decoder brings its own loss, one optimizer.

    Raises:
        ValueError: if the decoder learns from patches of pixels, which training batches do not hold.
    """

    def __init__(
        self,
        network: SuperResolver,
        optimizer: Optimizer,
        make_schedule: Callable[[int], Schedule],
        settings: StepSettings = _PLAIN,
        ranks: Ranks = ALONE,
    ) -> None:
        super().__init__(network, optimizer, make_schedule, settings, ranks)
        patch_size = network.decoder.patch_size
        if patch_size > 1:
            raise ValueError(
                f'decoder_options: {type(network.decoder).__name__} with patch_size = {patch_size} learns from patches '
                f'of {patch_size}x{patch_size} pixels, which no sampling gives. Train with patch_size = 1; with '
                'patches, only published weights can be used.'
            )

    def compare(self, batch: TrainingBatch) -> tuple[Tensor, dict[str, Tensor]]:
        return self.answer(batch, batch.hr), {}
