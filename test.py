"""Test a trained network: uncomment a strategy and benchmarks, then `python test.py`.

The first five settings and `model_name` name the checkpoint that training wrote. Pictures of the benchmarks are looked
for under ./datasets, or the folder that the environment variable ASSR_DATASETS names.
"""

from Configuration import BaseTestingConfiguration, protocols
from Models import BenchmarkType, DecoderType, EncoderType, RecipeType, SavedModelType, TestingStrategy
from Orchestrators.TestingOrchestrator import TestingOrchestrator
from Utilities.command_line import run_command


def main() -> None:
    """Test the checkpoint that the settings name."""
    configuration = BaseTestingConfiguration(
        encoder=EncoderType.EDSR,
        decoder=DecoderType.LIIF,
        recipe=RecipeType.QuickStart,
        input_patch=24,
        scale_range=(1, 4),
        model_name=SavedModelType.Best,
        # model_name=SavedModelType.Last,
        test_strategy=TestingStrategy.Simple,  # the whole picture at once
        # test_strategy=TestingStrategy.Patched, breakdown_patch_size=96,  # tiles of 96x96 LR pixels, with seams
        # test_strategy=TestingStrategy.OverlappingPatched, breakdown_patch_size=96,  # without seams
        # overlap=16,  # LR pixels that these tiles see around them, instead of as many as make them exact
        # self_ensemble=8,  # the mean over the picture turned and mirrored; 4: its rotations alone
        protocol=protocols.LIIF,  # what most papers compare
        # protocol=protocols.LTE,
        # protocol=protocols.CIAOSR,
        # protocol=protocols.MMAGIC,
        # protocol=protocols.THERA,
        # protocol=protocols.GSASR,
        # protocol=protocols.BASICSR,
        # protocol=protocols.Protocol(name='mine', color='RGB', rounds_to_8_bits=True),  # LIIF's but for these
        # eval_scale=(2, 3.5, 8),  # instead of the benchmarks' own scales
        # eval_scale=((2, 3.5),),  # one scale: x2 horizontally, x3.5 vertically
        # eval_size=(1200, 800),  # width and height of every result
        # valid_data_path='path/to/HR/pictures',  # for BenchmarkType.BENCHMARK
        # measure_cost=True,  # parameters, multiply-adds, latency and memory, for a LR picture of 128x128
        save_pictures=True,
    )
    benchmarks = [
        BenchmarkType.Photographs,  # held-out pictures that are already here
        # BenchmarkType.BENCHMARK,  # a folder of your own
        # BenchmarkType.Set5,
        # BenchmarkType.Set14,
        # BenchmarkType.B100,
        # BenchmarkType.Urban100,
        # BenchmarkType.DIV2K,
        # BenchmarkType.SVT,
        # BenchmarkType.CelebA_HQ,
    ]
    TestingOrchestrator(configuration).test(*benchmarks)


if __name__ == '__main__':
    run_command(main)
