"""When memory runs out, a smaller chunk does it, and if none does, the user is told what to do (FAULTS case 33)."""

import logging
import multiprocessing
import resource
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from Datasets.BenchmarkImages import BenchmarkImages
from Models import BenchmarkType, DecoderType, EncoderType, TestingStrategy
from Models.Decoders.Queries import Queries
from Models.SuperResolver import SuperResolver
from Orchestrators.Evaluation.evaluation import evaluate
from Orchestrators.Prediction.prediction import NetworkPredictor
from Orchestrators.Prediction.strategies import predictor_of
from tests.conftest import PATIENCE, PictureMaker
from tests.tiny_networks import tiny
from Utilities.command_line import RunFailedError
from Utilities.memory import ChunkMemoryError, is_out_of_memory

CPU = torch.device('cpu')
SIZE = (30, 37)


@pytest.fixture
def lr(random: torch.Generator) -> Tensor:
    return 0.2 + 0.6 * torch.rand(1, 3, 13, 14, generator=random)


def with_room_for(
    queries: int, decoder: DecoderType, monkeypatch: pytest.MonkeyPatch
) -> tuple[SuperResolver, list[int]]:
    """A network for whose queries memory runs out above so many at a time, and what it was asked for."""
    model = tiny(EncoderType.EDSR, decoder)
    asked: list[int] = []
    original = model.decoder.query_in_pieces

    def query_in_pieces(aimed: Any, all_queries: Queries, size: int) -> Any:
        # In the third piece, so that some are answered before.
        for number, piece in enumerate(all_queries.pieces(size)):
            asked.append(len(piece))
            if len(piece) > queries and number == 2:
                raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')
        yield from original(aimed, all_queries, size)

    monkeypatch.setattr(model.decoder, 'query_in_pieces', query_in_pieces)
    return model, asked


def by(model: SuperResolver, strategy: TestingStrategy) -> NetworkPredictor:
    return predictor_of(model, strategy, CPU, 160, None if strategy is TestingStrategy.Simple else 9)


@pytest.mark.parametrize('decoder', [DecoderType.LIIF, DecoderType.SRNO])
@pytest.mark.parametrize('strategy', [TestingStrategy.Simple, TestingStrategy.OverlappingPatched])
def test_half_the_chunk_does_it_and_is_told_once(
    strategy: TestingStrategy,
    decoder: DecoderType,
    lr: Tensor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = by(tiny(EncoderType.EDSR, decoder), strategy)(lr, SIZE).image
    caplog.set_level(logging.WARNING, logger='Orchestrators.Prediction.prediction')
    model, asked = with_room_for(45, decoder, monkeypatch)
    predict = by(model, strategy)
    for _ in range(2):
        torch.testing.assert_close(predict(lr, SIZE).image, expected, atol=1e-6, rtol=0)
    assert sorted(set(asked), reverse=True)[:3] == [160, 80, 40]
    assert asked.count(80) < 10
    assert asked[asked.index(40) :].count(80) == 0
    told = [record.message for record in caplog.records if 'Out of memory' in record.message]
    assert told == ['Out of memory at 160 queries at a time; going on with fewer, which changes nothing but the time.']


def test_rows_that_were_handed_over_are_not_made_anew(lr: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory may run out late; a file that is written from top to bottom can't take rows back."""
    monkeypatch.setattr('Orchestrators.Prediction.prediction.strip_rows', lambda _: 2)
    model = tiny(EncoderType.EDSR, DecoderType.MetaSR)
    expected = model.upscale(lr, SIZE)
    original, calls = model.decoder.query, []

    def query(aimed: Any, queries: Queries) -> Tensor:
        calls.append(len(queries))
        if len(calls) in (4, 9):
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return original(aimed, queries)

    monkeypatch.setattr(model.decoder, 'query', query)
    pieces = list(by(model, TestingStrategy.Simple).pieces(lr, SIZE))
    assert [row for piece in pieces for row in piece.rows] == list(range(SIZE[0]))
    torch.testing.assert_close(torch.cat([piece.colors for piece in pieces], dim=2), expected, atol=1e-6, rtol=0)
    assert set(calls) >= {160, 80, 40}


def test_every_device_s_way_to_say_it_is_understood() -> None:
    for error in (
        torch.OutOfMemoryError('CUDA out of memory.'),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        RuntimeError('DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.'),
        RuntimeError('MPS backend out of memory'),
    ):
        assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError('mat1 and mat2 shapes cannot be multiplied'))
    assert not is_out_of_memory(ValueError('out of memory'))


def test_other_errors_are_not_taken_for_it(lr: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny(EncoderType.EDSR, DecoderType.MetaSR)

    def query(*_: Any) -> Tensor:
        raise RuntimeError('shapes cannot be multiplied')

    monkeypatch.setattr(model.decoder, 'query', query)
    with pytest.raises(RuntimeError, match='shapes cannot be multiplied'):
        by(model, TestingStrategy.Simple)(lr, SIZE)


@pytest.mark.parametrize('where', ['encoder', 'decoder'])
def test_the_error_names_picture_size_scale_and_what_to_do(
    where: str, make_pictures: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = make_pictures(count=1)
    model = tiny(EncoderType.EDSR, DecoderType.MetaSR)
    calls = []

    def fail(*_: Any) -> Tensor:
        calls.append(1)
        raise torch.OutOfMemoryError('CUDA out of memory.')

    if where == 'encoder':
        monkeypatch.setattr(model.encoder, 'extract', fail)
    else:
        monkeypatch.setattr(model.decoder, 'query', fail)
    images = BenchmarkImages.of_protocol(BenchmarkType.BENCHMARK, files, 2)
    with pytest.raises(RunFailedError) as caught:
        evaluate(by(model, TestingStrategy.Simple), images[0], {}, color='RGB', border_px=0)
    for words in ('picture_0 (24x20)', 'by 2 to 48x40', 'max_memory', 'breakdown_patch_size'):
        assert words in str(caught.value)
    # 160, 80, 40, 20, 10, 5, 2, 1; smaller chunks are of no use to an encoder.
    assert len(calls) == (1 if where == 'encoder' else 8)


forks = multiprocessing.get_context('fork')


def _upscale_in_little(room: int, output: Path) -> None:
    """In a process of its own, whose address space is limited to little more than it has."""
    torch.set_num_threads(1)
    model = tiny(EncoderType.EDSR, DecoderType.MetaSR, hidden=(1024,))
    lr = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    expected = model.upscale(lr, (120, 120), queries_per_chunk=900)
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    limit = pages * resource.getpagesize() + room
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    has_failed = False
    try:
        model.upscale(lr, (120, 120), queries_per_chunk=14_400)
    except ChunkMemoryError:
        has_failed = True
    predict = predictor_of(model, TestingStrategy.Simple, CPU, 14_400)
    difference = (predict(lr, (120, 120)).image - expected).abs().max().item()
    output.write_text(f'{has_failed} {difference} {predict.queries_per_chunk}')


@pytest.mark.skipif(sys.platform != 'linux', reason='limits of the address space are kept on Linux')
def test_memory_that_really_runs_out(tmp_path: Path) -> None:
    """14 400 queries take 14 400 x 1 024 x 4 bytes = 59 MB for a layer; 900 take 4 MB."""
    process = forks.Process(target=_upscale_in_little, args=(40 * 2**20, tmp_path / 'output.txt'))
    process.start()
    process.join(PATIENCE)
    assert process.exitcode == 0
    has_failed, difference, queries = (tmp_path / 'output.txt').read_text().split()
    assert has_failed == 'True'
    assert float(difference) <= 1e-6
    assert int(queries) < 14_400
