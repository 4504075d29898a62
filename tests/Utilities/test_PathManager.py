"""The documented naming scheme (FAULTS case 39)."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from Models import DecoderType, EncoderType, RecipeType, SavedModelType
from Utilities import PathManager as path_manager_module
from Utilities.PathManager import PathManager

NAMES = st.text('abcXYZ019-', min_size=1, max_size=40)
SCALES = st.integers(1, 64) | st.integers(10, 640).map(lambda tenths: tenths / 10)


def test_the_documented_names() -> None:
    path = PathManager.GetModelSavePath(
        EncoderType.EDSR, DecoderType.LIIF, RecipeType.Simple, 48, (1.0, 4.0), SavedModelType.Best
    )
    assert str(path) == 'model_states_EDSR_LIIF_Simple_Patch_48_Scale_1_4_best.pth'
    assert str(PathManager.run_folder(path)) == 'model_states_EDSR_LIIF_Simple_Patch_48_Scale_1_4'
    epoch = path_manager_module.GetModelSavePath('EDSR', 'LIIF', 'Mine', 64, (1, 2.5), 20, folder='runs')
    assert epoch == Path('runs/model_states_EDSR_LIIF_Mine_Patch_64_Scale_1_2.5_20.pth')


@given(NAMES, NAMES, NAMES, st.integers(1, 4096), st.tuples(SCALES, SCALES), st.sampled_from(['best', 'last', 7]))
def test_reading_a_name_gives_what_was_written(
    encoder: str, decoder: str, recipe: str, patch: int, scales: tuple[float, float], kind: str | int
) -> None:
    name = PathManager.parse_model_name(PathManager.GetModelSavePath(encoder, decoder, recipe, patch, scales, kind))
    assert (name.encoder, name.decoder, name.recipe, name.input_patch) == (encoder, decoder, recipe, patch)
    assert (name.scale_range, name.save_type) == (scales, str(kind))


@pytest.mark.parametrize('name', ['../../x', 'a_b', 'a\nb', 'x' * 300, '', 'a/b', 'a.b', 'ü'])
@pytest.mark.parametrize('setting', ['encoder', 'decoder', 'recipe'])
def test_a_name_that_is_no_file_name_is_refused(setting: str, name: str) -> None:
    names = {'encoder': 'EDSR', 'decoder': 'LIIF', 'recipe': 'Simple'} | {setting: name}
    with pytest.raises(ValueError, match=f'{setting} must be 1 to 40 letters'):
        PathManager.GetModelSavePath(**names, input_patch=48, scale_range=(1, 4), save_type='best')


@pytest.mark.parametrize('kind', ['newest', 0, -1, '../best'])
def test_an_unknown_kind_of_checkpoint_is_refused(kind: str | int) -> None:
    with pytest.raises(ValueError, match='save_type must be'):
        PathManager.GetModelSavePath('EDSR', 'LIIF', 'Simple', 48, (1, 4), kind)


def test_a_foreign_name_is_refused() -> None:
    with pytest.raises(ValueError, match='is not named model_states_'):
        PathManager.parse_model_name('edsr-baseline.pth')


def test_dataset_roots_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PathManager.dataset_roots() == (Path('datasets'),)
    monkeypatch.setenv('ASSR_DATASETS', '/data/sr')
    assert PathManager.dataset_roots() == (Path('/data/sr'), Path('datasets'))
