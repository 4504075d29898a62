"""Fetching over a server on this machine: resumed, verified, and never half a file under the final name."""

import hashlib
import http.server
import io
import logging
import re
import tarfile
import threading
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from Datasets.benchmarks import BENCHMARKS
from Datasets.download import __main__ as command
from Datasets.download.fetching import DownloadError, fetch
from Datasets.download.sources import SOURCES, Archive, Part, Source
from Models import BenchmarkType

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """What is asked of it and what it answers; the server itself runs in a thread."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.ranges: list[str | None] = []
        self.resumes = True
        self.cuts_at: int | None = None
        self.redirects_to: str | None = None
        self.status: int | None = None
        self.announces_length = True
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802
                server.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.address = f'http://127.0.0.1:{self._server.server_port}/data.tar'
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        asked = handler.headers['Range']
        self.ranges.append(asked)
        if self.redirects_to or self.status:
            handler.send_response(self.status or 302)
            handler.send_header('Location', self.redirects_to or '')
            handler.end_headers()
            return
        start = int(asked.removeprefix('bytes=').rstrip('-')) if asked and self.resumes else 0
        if start >= len(self.content):
            handler.send_response(416)
            handler.end_headers()
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header('Content-Range', f'bytes {start}-{len(self.content) - 1}/{len(self.content)}')
        if self.announces_length:
            handler.send_header('Content-Length', str(len(self.content) - start))
        handler.end_headers()
        handler.wfile.write(self.content[start : self.cuts_at])

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


def get(server: Server, path: Path, sha256: str | None = SHA256, size_bytes: int | None = len(CONTENT)) -> str:
    return fetch(server.address, path, sha256=sha256, size_bytes=size_bytes, allow_http_to_this_machine=True)


def test_a_file_arrives_whole_and_verified(server: Server, tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'data.tar'
    assert get(server, path) == SHA256
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert get(server, path) == SHA256
    assert server.ranges == [None]  # the second call asked for nothing


def test_a_download_that_was_cut_off_goes_on_from_there(server: Server, tmp_path: Path) -> None:
    path, part = tmp_path / 'data.tar', tmp_path / 'data.tar.part'
    server.cuts_at = 300_000
    with pytest.raises(DownloadError, match='300000 of 1024000 bytes|could not be fetched'):
        get(server, path)
    assert not path.exists()
    kept = part.stat().st_size
    assert 0 < kept <= 300_000
    server.cuts_at = None
    get(server, path)
    assert server.ranges == [None, f'bytes={kept}-']
    assert path.read_bytes() == CONTENT
    assert not part.exists()


def test_a_server_that_does_not_resume_starts_anew(server: Server, tmp_path: Path) -> None:
    path = tmp_path / 'data.tar'
    path.with_name('data.tar.part').write_bytes(b'other' * 100)
    server.resumes = False
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_a_part_that_is_longer_than_the_file_starts_anew(server: Server, tmp_path: Path) -> None:
    path = tmp_path / 'data.tar'
    path.with_name('data.tar.part').write_bytes(CONTENT + b'more')
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_a_whole_part_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    path = tmp_path / 'data.tar'
    path.with_name('data.tar.part').write_bytes(CONTENT)
    get(server, path)
    assert server.ranges == []
    assert path.read_bytes() == CONTENT


def test_another_file_is_refused_and_nothing_is_kept(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b'x'
    with pytest.raises(DownloadError, match=f'its SHA-256 is [0-9a-f]{{64}}, expected {SHA256}'):
        get(server, tmp_path / 'data.tar')
    assert list(tmp_path.iterdir()) == []


def test_a_part_of_another_file_is_found_by_the_hash(server: Server, tmp_path: Path) -> None:
    path = tmp_path / 'data.tar'
    path.with_name('data.tar.part').write_bytes(b'x' * 1000)
    with pytest.raises(DownloadError, match='is not the file'):
        get(server, path)
    assert list(tmp_path.iterdir()) == []
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_without_a_hash_halves_are_never_put_together(server: Server, tmp_path: Path) -> None:
    path = tmp_path / 'data.tar'
    path.with_name('data.tar.part').write_bytes(CONTENT[:1000])
    assert get(server, path, sha256=None, size_bytes=None) == SHA256
    assert server.ranges == [None]


def test_a_users_file_of_that_name_is_left(server: Server, tmp_path: Path) -> None:
    path = tmp_path / 'data.tar'
    path.write_bytes(b'mine')
    with pytest.raises(DownloadError, match='is not the file'):
        get(server, path)
    assert path.read_bytes() == b'mine'


def test_more_than_announced_is_refused(server: Server, tmp_path: Path) -> None:
    server.content, server.announces_length = CONTENT * 3, False
    with pytest.raises(DownloadError, match='sends more than the 1024000 bytes'):
        get(server, tmp_path / 'data.tar')
    assert not (tmp_path / 'data.tar').exists()


def test_a_full_disk_is_told_before_anything_is_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('shutil.disk_usage', lambda _: Namespace(free=1000))
    with pytest.raises(DownloadError, match='needs 1024000 bytes more, but .* has 1000 free'):
        get(server, tmp_path / 'data.tar')


@pytest.mark.parametrize(
    'address', ['http://example.org/data.tar', 'ftp://example.org/data.tar', 'file:///etc/passwd', 'data.tar']
)
def test_only_https_is_fetched(address: str, tmp_path: Path) -> None:
    for allow in (False, True):
        with pytest.raises(DownloadError, match='only https is'):
            fetch(address, tmp_path / 'data.tar', sha256=SHA256, allow_http_to_this_machine=allow)


def test_this_machine_is_no_exception_without_the_argument(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match='only https is'):
        fetch(server.address, tmp_path / 'data.tar', sha256=SHA256)
    assert server.ranges == []


def test_a_redirect_may_not_leave_https(server: Server, tmp_path: Path) -> None:
    server.redirects_to = 'http://example.org/data.tar'
    with pytest.raises(DownloadError, match=r'http://example\.org/data\.tar is not fetched: only https is'):
        get(server, tmp_path / 'data.tar')
    server.redirects_to = 'file:///etc/passwd'
    with pytest.raises(DownloadError):
        get(server, tmp_path / 'data.tar')
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_says_so(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(DownloadError, match='could not be fetched: HTTP Error 404'):
        get(server, tmp_path / 'data.tar')


# The command


def tar_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode='w') as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def tiny_set(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two sets in one archive whose hash is not known."""
    server.content = tar_of({f'benchmark/Tiny{number}/HR/a.png': b'a' for number in (1, 2)})
    archive = Archive(server.address)
    for number in (1, 2):
        part = Part(archive, (f'benchmark/Tiny{number}/HR', f'Tiny{number}/HR'), 1)
        monkeypatch.setitem(SOURCES, f'tiny{number}', Source('https://example.org', (part,)))
    return hashlib.sha256(server.content).hexdigest()


def run(*names: str, **settings: Any) -> None:
    defaults = {'folder': Path('data'), 'sha256': [], 'accept_unpinned': False, 'keep_archives': False, 'debug': False}
    command.main(Namespace(names=list(names), **defaults | settings), allow_http_to_this_machine=True)


def test_an_unknown_hash_is_asked_about_and_then_printed(
    server: Server, tiny_set: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ValueError, match=r'no SHA-256 that this version knows.*--sha256 data\.tar=HASH.*--accept-unp'):
        run('tiny1')
    assert server.ranges == []
    assert not Path('data').exists()
    run('tiny1', 'tiny2', accept_unpinned=True)
    assert server.ranges == [None]  # one archive for both
    assert f'--sha256 data.tar={tiny_set}' in caplog.text
    files = sorted(str(file) for file in Path('data').rglob('*') if file.is_file())
    assert files == ['data/benchmark/Tiny1/HR/a.png', 'data/benchmark/Tiny2/HR/a.png']


def test_what_is_there_is_not_fetched_again(server: Server, tiny_set: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Path('data/Tiny1/HR').mkdir(parents=True)
    Path('data/Tiny1/HR/a.PNG').touch()
    run('tiny1')
    assert server.ranges == []
    assert 'is already there' in caplog.text


def test_a_hash_of_the_users_is_held_to(server: Server, tiny_set: str) -> None:
    with pytest.raises(DownloadError, match='is not the file'):
        run('tiny1', sha256=[f'data.tar={SHA256}'])
    assert [file for file in Path('data').rglob('*') if file.is_file()] == []
    run('tiny1', sha256=[f'data.tar={tiny_set.upper()}'], keep_archives=True)
    assert Path('data/.downloads/data.tar').is_file()
    with pytest.raises(ValueError, match='--sha256 must be FILE=HASH'):
        run('tiny1', sha256=['data.tar=123'])


def test_what_can_not_be_fetched_says_where_it_is_and_where_it_goes() -> None:
    with pytest.raises(ValueError, match=r'svt has no public address.*vision\.ucsd\.edu.*into SVT/HR'):
        run('svt')
    with pytest.raises(ValueError, match='Did you mean div2k'):
        run('dvi2k')


def test_the_list_says_what_is_verified(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run()
    assert re.search(r'div2k +3\.9 GiB, verified', caplog.text)
    assert re.search(r'set5 +SHA-256 not known', caplog.text)
    assert re.search(r'svt +by hand', caplog.text)


# The table


def test_every_benchmark_but_the_embedded_and_ones_own_is_in_the_table() -> None:
    own = {BenchmarkType.Photographs, BenchmarkType.BENCHMARK}
    assert {member.name.lower() for member in set(BenchmarkType) - own} == set(SOURCES)


def test_addresses_are_https_and_hashes_are_hashes() -> None:
    for source in SOURCES.values():
        assert source.parts or source.by_hand
        for part in source.parts:
            assert part.archive.address.startswith('https://')
            assert part.archive.sha256 is None or re.fullmatch('[0-9a-f]{64}', part.archive.sha256)
            assert part.archive.file.endswith(('.zip', '.tar'))


@pytest.mark.parametrize('name', ['div2k', 'set5', 'set14', 'b100', 'urban100'])
def test_archives_put_pictures_where_the_framework_looks_for_them(name: str) -> None:
    row = BENCHMARKS[next(member for member in BenchmarkType if member.name.lower() == name)]
    looked_for = {*row.hr_folders, *row.training_folders}
    looked_for |= {folder.format(scale=scale) for folder in row.lr_folders for scale in (2, 3, 4)}
    for part in SOURCES[name].parts:
        assert part.folders[0] in looked_for
