"""Bringing one file over https: resumed where it stopped, verified before it gets its name."""

import hashlib
import http.client
import io
import os
import shutil
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from tqdm import tqdm

_CHUNK_BYTES = 1024**2
_TIMEOUT_SECONDS = 60
_MAX_BYTES = 20 * 1024**3
"""More than this is refused where the size is not known."""

_RANGE_NOT_SATISFIABLE = 416


class DownloadError(OSError):
    """A file could not be fetched, or is not what was expected; the message says what to do."""


class _StaysSecure(HTTPRedirectHandler):
    """Follows redirects, but not to an address that may not be fetched from."""

    def __init__(self, allow_http_to_this_machine: bool) -> None:
        self._allow = allow_http_to_this_machine

    def redirect_request(  # noqa: PLR0913, PLR0917  the base class's
        self, req: Request, fp: object, code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        _refuse_insecure(newurl, self._allow)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def fetch(
    address: str,
    path: Path,
    *,
    sha256: str | None,
    size_bytes: int | None = None,
    allow_http_to_this_machine: bool = False,
) -> str:
    """Fetch a file and give it its name once it is whole and verified; returns its SHA-256.

    What has arrived is kept as `<name>.part`, and a second call goes on from there if the hash is known: without one,
    nothing would tell whether both halves are of the same file. A file that is already there under its name is
    verified instead.

    Args:
        address: where it is; https.
        path: the file to write.
        sha256: what it must have; None: anything.
        size_bytes: what it must have; None: anything up to 20 GiB.
        allow_http_to_this_machine: for tests: also fetch from 127.0.0.1 without encryption.

    Raises:
        DownloadError: if it can't be had, ends early (then call again), or is another file (then nothing is kept).
    """
    _refuse_insecure(address, allow_http_to_this_machine)
    if path.exists():
        return _verified(path, sha256, address)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.part')
    if sha256 is None:
        part.unlink(missing_ok=True)
    if size_bytes is None or not part.exists() or part.stat().st_size != size_bytes:
        opener = build_opener(_StaysSecure(allow_http_to_this_machine))
        try:
            _receive(opener, address, part, size_bytes)
        except (URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            raise DownloadError(f'{address} could not be fetched: {error}. Try again later to go on.') from error
    try:
        found = _verified(part, sha256, address)
    except DownloadError:
        part.unlink()
        raise
    os.replace(part, path)
    return found


def _receive(opener: OpenerDirector, address: str, part: Path, size_bytes: int | None) -> None:
    """Append what is missing to a part, or write it anew if the server does not resume."""
    present = part.stat().st_size if part.exists() else 0
    headers = {'Accept-Encoding': 'identity', 'User-Agent': 'Datasets.download'}
    if present:
        headers['Range'] = f'bytes={present}-'
    try:
        response = opener.open(Request(address, headers=headers), timeout=_TIMEOUT_SECONDS)
    except HTTPError as error:
        if error.code == _RANGE_NOT_SATISFIABLE and present:
            part.unlink()
            return _receive(opener, address, part, size_bytes)
        raise
    with response:
        resumed = response.status == http.client.PARTIAL_CONTENT
        if resumed and not response.headers.get('Content-Range', '').startswith(f'bytes {present}-'):
            raise DownloadError(f'{address} answered with other bytes than asked for. Remove {part} and try again.')
        start = present if resumed else 0
        length = response.headers.get('Content-Length')
        expected = size_bytes or (start + int(length) if length else None)
        _refuse_full_disk(part, (expected or 0) - start)
        with part.open('ab' if resumed else 'wb') as file:
            _copy(response, file, start, expected, address)
    return None


def _copy(response: io.BufferedIOBase, file: io.BufferedIOBase, start: int, expected: int | None, address: str) -> None:
    received, allowed = start, expected or _MAX_BYTES
    name = address.rpartition('/')[2]
    with tqdm(total=expected, initial=start, desc=name, unit='B', unit_scale=True, leave=False, disable=None) as bar:
        while chunk := response.read(_CHUNK_BYTES):
            received += len(chunk)
            if received > allowed:
                raise DownloadError(f'{address} sends more than the {allowed} bytes that it should have.')
            file.write(chunk)
            bar.update(len(chunk))
    if expected is not None and received < expected:
        raise DownloadError(
            f'{address} ended after {received} of {expected} bytes. They are kept; call again to go on.'
        )


def _verified(path: Path, sha256: str | None, address: str) -> str:
    with path.open('rb') as file:
        found = hashlib.file_digest(file, 'sha256').hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise DownloadError(
            f'{path} is not the file that {address} should hold: its SHA-256 is {found}, expected {sha256}.'
        )
    return found


def _refuse_insecure(address: str, allow_http_to_this_machine: bool) -> None:
    parts = urlsplit(address)
    if parts.scheme == 'https' or (
        allow_http_to_this_machine and parts.scheme == 'http' and parts.hostname == '127.0.0.1'
    ):
        return
    raise DownloadError(f'{address} is not fetched: only https is.')


def _refuse_full_disk(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise DownloadError(f'{part} needs {needed} bytes more, but {part.parent} has {free} free.')
