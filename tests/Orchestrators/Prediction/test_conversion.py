"""Files of every layout become checkpoints that give the same pictures."""

import itertools
import json
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from Models import DecoderType, EncoderType
from Models.published_checkpoints import read_published
from Models.SuperResolver import SuperResolver
from Orchestrators.Prediction.conversion import convert
from Orchestrators.Prediction.trained_model import load_trained_model
from tests.Models.published_checkpoints.layouts import BASICSR, EDSR, LAYOUTS, Saved, params
from Utilities.Checkpoint import Checkpoint
from Utilities.PathManager import PathManager

CPU = torch.device('cpu')
SIMPLE = LAYOUTS['basicsr edsr x2, in parallel']


def pictures(model: SuperResolver) -> Tensor:
    lr = torch.rand(1, 3, 9, 6, generator=torch.Generator().manual_seed(0))
    scale = getattr(model.decoder, 'scale', 3)
    return model.upscale(lr, (9 * scale, 6 * scale))


def save(layout: Saved, file: Path = Path('official.pth')) -> SuperResolver:
    model = layout.build()
    torch.save(layout.wrap(layout.state(model)), file)
    return model


@pytest.mark.parametrize('name', LAYOUTS)
def test_converted_files_give_the_same_pictures(name: str) -> None:
    layout = LAYOUTS[name]
    model = save(layout)
    path = convert(Path('official.pth'))
    converted = load_trained_model(path, CPU)
    assert converted.name == f'{layout.encoder.name}-{layout.decoder.name}'
    assert PathManager.parse_model_name(path).recipe == converted.configuration['recipe'] == 'Published'
    assert torch.equal(pictures(converted.network), pictures(model))


def test_the_file_is_named_by_the_documented_scheme() -> None:
    expected = {
        'liif': 'model_states_EDSR_LIIF_Published_Patch_48_Scale_1_4_best.pth',
        'sronet': 'model_states_EDSR_SRNO_Published_Patch_128_Scale_1_4_best.pth',
        'basicsr rcan x3': 'model_states_RCAN_Native_Published_Patch_48_Scale_3_3_best.pth',
    }
    for name, file in expected.items():
        save(LAYOUTS[name])
        assert convert(Path('official.pth')) == Path(file)


def test_the_study_s_folder_tells_patch_and_scales() -> None:
    folder = Path('model_states_EDSR_LTE_SimpleLargerPatchScale_Patch_64_Scale_1_6')
    folder.mkdir()
    save(LAYOUTS['study, lte plus'], folder / 'epoch-best.pth')
    path = convert(folder / 'epoch-best.pth')
    assert path.name == 'model_states_EDSR_LTE_Published_Patch_64_Scale_1_6_best.pth'
    assert load_trained_model(path, CPU).epoch == 100


def test_the_checkpoint_says_what_it_was_made_from() -> None:
    save(LAYOUTS['liif'])
    checkpoint = Checkpoint.load(convert(Path('official.pth')))
    assert checkpoint.configuration['converted_from']['file'] == 'official.pth'
    assert checkpoint.configuration['scale_range'] == [1.0, 4.0]
    assert checkpoint.progress == {'epoch': 1000, 'samples_seen': 0}


def test_an_existing_file_is_not_replaced_silently() -> None:
    save(SIMPLE)
    Path('mine.pth').write_text('mine')
    with pytest.raises(ValueError, match=r'mine\.pth exists\. Name another file with --out, or give --overwrite'):
        convert(Path('official.pth'), Path('mine.pth'))
    assert Path('mine.pth').read_text() == 'mine'
    convert(Path('official.pth'), Path('mine.pth'), overwrite=True)
    assert load_trained_model(Path('mine.pth'), CPU).name == 'EDSR-Native'
    assert Path('mine.pth.prev').read_text() == 'mine'


def test_a_folder_may_be_named_for_the_result() -> None:
    save(SIMPLE)
    Path('models').mkdir()
    assert convert(Path('official.pth'), Path('models')).parent == Path('models')
    with pytest.raises(ValueError, match='There is no folder elsewhere to write'):
        convert(Path('official.pth'), Path('elsewhere/mine.pth'))


@pytest.mark.parametrize('name', ['liif', 'study, hiif', 'ciaosr, rdn', 'basicsr rcan x3', 'swinir x4', 'clit'])
@pytest.mark.parametrize('fault', ['missing', 'left over', 'of another shape'])
def test_a_partial_match_is_refused_and_named(name: str, fault: str) -> None:
    layout = LAYOUTS[name]
    state = layout.state(layout.build())
    key = next(key for key in reversed(list(state)) if key.endswith('.bias') and 'mean' not in key)
    if fault == 'missing':
        del state[key]
    elif fault == 'left over':
        state['extra.weight'] = torch.zeros(3)
    else:
        state[key] = torch.zeros(1)
    torch.save(layout.wrap(state), 'official.pth')
    with pytest.raises(ValueError, match=fault if fault != 'left over' else r'left over: extra\.weight'):
        convert(Path('official.pth'))
    assert sorted(os.listdir()) == ['official.pth']


WRAPPERS = ('module', '_orig_mod', '_fsdp_wrapped_module', '_checkpoint_wrapped_module')
CHAINS = [[], *([first] for first in WRAPPERS), *itertools.permutations(WRAPPERS, 2), ('module',) * 3, WRAPPERS]


@pytest.mark.parametrize('name', ['liif', 'study, hiif', 'basicsr rcan x3', 'swinir x4'])
@pytest.mark.parametrize('chain', CHAINS, ids='.'.join)
def test_what_tools_put_around_a_network_is_taken_off(name: str, chain: Sequence[str]) -> None:
    """In any order and number, in front of the network and within it, as torch.compile of a part does."""
    layout = LAYOUTS[name]
    state = layout.state(layout.build())
    inside = {'.'.join([*key.split('.')[:1], *chain, *key.split('.')[1:]]): value for key, value in state.items()}
    converted = []
    for number, keys in enumerate((state, {'.'.join([*chain, key]): each for key, each in inside.items()})):
        torch.save(layout.wrap(keys), f'{number}.pth')
        converted.append(Checkpoint.load(convert(Path(f'{number}.pth'), Path(f'model_states_{number}.pth'))).network)
    assert converted[0].keys() == converted[1].keys()
    assert all(torch.equal(value, converted[1][key]) for key, value in converted[0].items())


def test_keys_that_become_the_same_are_refused() -> None:
    layout = LAYOUTS['liif']
    state = layout.state(layout.build())
    twice = state | {f'module.{key}': value for key, value in state.items()}
    torch.save(layout.wrap(twice), 'official.pth')
    with pytest.raises(ValueError, match=rf'official\.pth.*{len(state)} keys are there twice'):
        convert(Path('official.pth'))


class Malicious:
    """Unpickling this runs a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ('touch attacked',)


@pytest.mark.parametrize('writer', [torch.save, lambda value, file: Path(file).write_bytes(pickle.dumps(value))])
def test_a_malicious_file_is_refused_in_one_line_and_not_run(writer: Any) -> None:
    writer({'model': {'name': 'liif', 'args': {}, 'sd': {}}, 'extra': Malicious()}, 'official.pth')
    with pytest.raises(
        ValueError, match=r'official\.pth is no readable checkpoint: it (holds an object of |is no)'
    ) as caught:
        convert(Path('official.pth'))
    assert '\n' not in str(caught.value)
    assert not Path('attacked').exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({}, 'none of the known layouts.*It holds: nothing'),
        ({'weights': 3}, 'none of the known layouts.*It holds: weights'),
        ([1], 'holds no checkpoint but one value of type list'),
        ({'params': {'a.b': torch.zeros(1)}}, r'no weights of a known encoder: a\.b'),
        ({'model': {'name': 'gsasr', 'args': {}, 'sd': {}}}, "'gsasr' names no encoder"),
        (
            {'model': {'name': 'liif', 'args': {'encoder_spec': {'name': 'hat', 'args': {}}}, 'sd': {}}},
            "no encoder 'hat' in this framework. Known: edsr-baseline",
        ),
        (
            {'model': {'name': 'sronet', 'args': {'encoder_spec': {'name': 'edsr', 'args': {'depth': 3}}}, 'sd': {}}},
            'EDSR has no argument depth',
        ),
        ({'model': {'args': {}, 'sd': {}}}, "known layout, but incomplete: KeyError 'name'"),
    ],
)
def test_other_files_are_refused_with_what_they_hold(content: Any, message: str) -> None:
    torch.save(content, 'official.pth')
    with pytest.raises(ValueError, match=message):
        read_published(Path('official.pth'))


def test_damaged_and_absent_files_are_named() -> None:
    with pytest.raises(FileNotFoundError, match=r'no file official\.pth'):
        read_published(Path('official.pth'))
    save(SIMPLE)
    Path('official.pth').write_bytes(Path('official.pth').read_bytes()[:500])
    with pytest.raises(ValueError, match=r'official\.pth is '):
        read_published(Path('official.pth'))


def test_safetensors_are_read() -> None:
    """As traiNNer writes them. The file is made by hand: a length, a JSON header, the numbers."""
    pytest.importorskip('safetensors')
    layout = Saved(EncoderType.EDSR, EDSR, DecoderType.Native, {'scale': 4, **BASICSR}, 'basicsr-edsr', params)
    model = layout.build()
    write_safetensors(Path('official.safetensors'), layout.state(model))
    converted = load_trained_model(convert(Path('official.safetensors')), CPU)
    assert torch.equal(pictures(converted.network), pictures(model))
    Path('official.safetensors').write_bytes(b'no such thing')
    with pytest.raises(ValueError, match='is not a readable safetensors file'):
        read_published(Path('official.safetensors'))


def test_without_the_package_safetensors_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    monkeypatch.setitem(sys.modules, 'safetensors.torch', None)
    Path('official.safetensors').write_bytes(b'')
    with pytest.raises(ValueError, match='install the package safetensors: pip install safetensors'):
        read_published(Path('official.safetensors'))


def write_safetensors(file: Path, state: dict[str, Tensor]) -> None:
    header, numbers = {}, b''
    for key, value in state.items():
        start = len(numbers)
        numbers += value.contiguous().numpy().astype('<f4').tobytes()
        header[key] = {'dtype': 'F32', 'shape': list(value.shape), 'data_offsets': [start, len(numbers)]}
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack('<Q', len(text)) + text + numbers)


def test_the_command_converts_reports_and_refuses_in_one_line(tmp_path: Path) -> None:
    save(LAYOUTS['ciaosr, edsr'])
    command = [
        sys.executable,
        '-m',
        'Orchestrators.convert',
        str(tmp_path / 'official.pth'),
        '--out',
        str(tmp_path),
    ]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 'network EDSR-CiaoSR' in done.stdout
    assert '1 known to have no effect, 0 missing, 0 left over' in done.stdout
    assert 'No part of the network: 1 weights, such as discriminator.conv.weight' in done.stdout
    assert "CiaoSR's local_size and softmax_scale are in no file" in done.stderr
    again = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert [line for line in again.stderr.splitlines() if line.startswith('error:')] == [again.stderr.splitlines()[-1]]
    assert 'exists. Name another file' in again.stderr
