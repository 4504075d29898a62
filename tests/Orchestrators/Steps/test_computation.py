"""Memory format, TF32 and compilation do something where they are on, and nothing where they are off."""

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch

from Orchestrators.Pipelines.SuperResolution import build_step
from Orchestrators.Training.Validation import Validation
from Orchestrators.TrainingOrchestrator import TrainingOrchestrator
from tests.conftest import PATIENCE, PictureMaker
from tests.tiny import TrainTiny
from tests.tiny_steps import compare_compiled, tiny_batch, tiny_step
from Utilities.devices import allow_tf32, check_compiler

CPU = torch.device('cpu')


@pytest.mark.parametrize('channels_last', [False, True])
def test_channels_last_is_how_the_encoder_sees_weights_and_images(channels_last: bool) -> None:
    step = tiny_step(channels_last=channels_last)
    layouts = []
    for module in step.learner.network.encoder.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_pre_hook(
                lambda module, inputs: layouts.extend(
                    tensor.is_contiguous(memory_format=torch.channels_last) for tensor in (*inputs, module.weight)
                )
            )
    for seed in range(2):
        step.learn_from(tiny_batch(seed=seed))
    assert len(layouts) > 8
    assert set(layouts) == {channels_last}


def test_channels_last_changes_the_order_in_memory_and_not_the_numbers() -> None:
    losses = [
        [tiny_step(channels_last=on).learn_from(tiny_batch(seed=seed))['loss'] for seed in range(3)]
        for on in (False, True)
    ]
    torch.testing.assert_close(losses[0], losses[1], atol=1e-6, rtol=1e-5)


# TF32


def flags() -> tuple[bool, bool]:
    """Of products and convolutions, by both of torch's interfaces, which must agree."""
    matmul, conv = torch.backends.cuda.matmul, torch.backends.cudnn
    found = (matmul.fp32_precision == 'tf32', conv.conv.fp32_precision == 'tf32')
    assert found == (matmul.allow_tf32, conv.allow_tf32)
    return found


@pytest.mark.parametrize('tf32', [False, True])
def test_tf32_is_for_training_and_never_for_validation(
    tf32: bool, make_pictures: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pictures()
    allow_tf32(not tf32)
    seen: dict[str, set[tuple[bool, bool]]] = {'training': set(), 'validation': set()}
    validate = Validation.validate

    def watch(self: Validation, *arguments: Any) -> Any:
        seen['validation'].add(flags())
        return validate(self, *arguments)

    monkeypatch.setattr(Validation, 'validate', watch)
    from Losses.PixelL1 import PixelL1

    forward = PixelL1.forward
    monkeypatch.setattr(PixelL1, 'forward', lambda *inputs: seen['training'].add(flags()) or forward(*inputs))
    TrainingOrchestrator(TrainTiny(epochs=2, tf32=tf32)).train()
    assert seen == {'training': {(tf32, tf32)}, 'validation': {(False, False)}}


# Compilation


def test_compile_is_for_training_alone_and_renames_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a backend that leaves everything as it is, so the numbers are equal to the last bit."""
    monkeypatch.setenv('PYTHONPATH', str(Path(__file__).parents[3]))
    process = multiprocessing.get_context('forkserver').Process(
        target=compare_compiled, args=(tmp_path / 'found.json',)
    )
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == 0
    found = json.loads((tmp_path / 'found.json').read_text())
    assert found['losses'][0] == found['losses'][1]
    assert found['hashes'][0] == found['hashes'][1]
    assert found['at_the_end'] == found['while_training'] > 0


def test_compile_off_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, 'compile', lambda *_: pytest.fail('compiled'))
    build_step(TrainTiny(), CPU)
    tiny_step().learn_from(tiny_batch())


def test_a_missing_compiler_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError('\nInvalidCxxCompiler: No working C++ compiler found\n\nSet TORCHDYNAMO_VERBOSE=1 for more')

    monkeypatch.setattr(torch, 'compile', fail)
    message = (
        'compile = True needs .* C[+][+] compiler .*: InvalidCxxCompiler: No working C[+][+] compiler found Install'
    )
    with pytest.raises(ValueError, match=message) as error:
        build_step(TrainTiny(compile=True), CPU)
    assert '\n' not in str(error.value)
    with pytest.raises(ValueError, match=message):
        check_compiler(CPU)
