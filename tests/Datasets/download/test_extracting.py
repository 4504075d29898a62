"""Archives that want out of their folder, or more than is allowed, are refused by name (FAULTS case 38)."""

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from Datasets.download.extracting import ArchiveError, extract

MEMBERS = {'Set5/HR/baby.png': b'baby', 'Set5/HR/bird.png': b'bird' * 1000, 'Set5/LR_bicubic/X2/babyx2.png': b''}
Maker = Callable[[Path, dict[str, bytes]], None]


def make_tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, 'w:gz' if path.name.endswith('gz') else 'w') as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def make_zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def make(path: Path, members: dict[str, bytes]) -> Path:
    (make_zip if path.suffix == '.zip' else make_tar)(path, members)
    return path


def everything(folder: Path) -> dict[str, bytes | None]:
    """All that lies below a folder, with its content."""
    return {str(file.relative_to(folder)): file.read_bytes() if file.is_file() else None for file in folder.rglob('*')}


KINDS = ['a.zip', 'a.tar', 'a.tar.gz']


@pytest.mark.parametrize('kind', KINDS)
def test_a_harmless_archive_is_unpacked_and_nothing_else_lies_around(kind: str, tmp_path: Path) -> None:
    archive = make(tmp_path / kind, {**MEMBERS, 'Set5/HR/._baby.png': b'macOS', '__MACOSX/x': b'', '.DS_Store': b''})
    count = extract(archive, tmp_path / 'datasets', max_bytes=10_000)
    assert count == 3
    found = {name: content for name, content in everything(tmp_path / 'datasets').items() if content is not None}
    assert found == MEMBERS


def refused(archive: Path, tmp_path: Path, match: str, **settings: int) -> None:
    """The archive is refused with a message, and no file anywhere is new, gone or changed."""
    (tmp_path / 'datasets').mkdir(exist_ok=True)
    before = everything(tmp_path)
    with pytest.raises(ArchiveError, match=match) as caught:
        extract(archive, tmp_path / 'datasets', **{'max_bytes': 10_000, **settings})
    assert str(archive) in str(caught.value)
    assert everything(tmp_path) == before


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(
    ('name', 'match'),
    [
        ('../outside.png', r"'../outside.png' leads out of the folder"),
        ('Set5/../../outside.png', r'leads out of the folder'),
        ('/tmp/outside.png', r"'/tmp/outside.png' is an absolute name"),
        ('C:/outside.png', r'is an absolute name'),
        ('..\\outside.png', r'is no name for a file'),
        ('Set5/new\nline.png', r'is no name for a file'),
        ('SET5/hr/Baby.png', r"'SET5/hr/Baby.png' comes twice"),
        ('Set5/HR', r"'Set5/HR' comes twice"),
        ('Set5/HR/baby.png/x.png', r"'Set5/HR/baby.png/x.png' comes twice"),
    ],
)
def test_names_that_lead_elsewhere_or_come_twice_are_refused(kind: str, name: str, match: str, tmp_path: Path) -> None:
    refused(make(tmp_path / kind, {**MEMBERS, name: b'evil'}), tmp_path, match)


@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_the_same_name_twice_in_a_zip_is_refused(tmp_path: Path) -> None:
    archive = make(tmp_path / 'a.zip', MEMBERS)
    with zipfile.ZipFile(archive, 'a') as opened:
        opened.writestr('Set5/HR/baby.png', b'other')
    refused(archive, tmp_path, "'Set5/HR/baby.png' comes twice")


@pytest.mark.parametrize('kind', ['a.tar', 'a.tar.gz'])
@pytest.mark.parametrize(
    ('what', 'target'),
    [
        (tarfile.SYMTYPE, '../../outside'),
        (tarfile.SYMTYPE, 'baby.png'),
        (tarfile.LNKTYPE, 'Set5/HR/baby.png'),
        (tarfile.CHRTYPE, ''),
        (tarfile.BLKTYPE, ''),
        (tarfile.FIFOTYPE, ''),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(kind: str, what: bytes, target: str, tmp_path: Path) -> None:
    archive = tmp_path / kind
    with tarfile.open(archive, 'w:gz' if kind.endswith('gz') else 'w') as opened:
        info = tarfile.TarInfo('Set5/HR/evil')
        info.type, info.linkname = what, target
        opened.addfile(info)
    refused(archive, tmp_path, "'Set5/HR/evil' is a link or a device")


@pytest.mark.parametrize('kind', [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_a_zip_are_refused(kind: int, tmp_path: Path) -> None:
    archive = tmp_path / 'a.zip'
    with zipfile.ZipFile(archive, 'w') as opened:
        info = zipfile.ZipInfo('Set5/HR/evil')
        info.external_attr = (kind | 0o777) << 16
        opened.writestr(info, '/etc/passwd')
    refused(archive, tmp_path, "'Set5/HR/evil' is a link or a device")


def test_a_file_behind_a_link_of_the_archive_is_never_written(tmp_path: Path) -> None:
    """The classic pair: a link out of the folder, then a file through it."""
    archive = tmp_path / 'a.tar'
    with tarfile.open(archive, 'w') as opened:
        link = tarfile.TarInfo('door')
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / 'outside')
        opened.addfile(link)
        info = tarfile.TarInfo('door/evil.png')
        info.size = 4
        opened.addfile(info, io.BytesIO(b'evil'))
    (tmp_path / 'outside').mkdir()
    refused(archive, tmp_path, "'door' is a link")


def test_ten_gigabytes_of_zeros_are_refused_by_what_they_declare(tmp_path: Path) -> None:
    """In a tar.gz, where the header alone is written; a reader that skips the content would never come to an end."""
    info = tarfile.TarInfo('Set5/HR/zeros.png')
    info.size = 10 * 1024**3
    archive = tmp_path / 'a.tar.gz'
    archive.write_bytes(gzip.compress(info.tobuf() + bytes(1024**2)))
    refused(archive, tmp_path, f"refused at 'Set5/HR/zeros.png': with it {10 * 1024**3} bytes", max_bytes=1024**3)


@pytest.mark.parametrize('kind', KINDS)
def test_many_files_may_not_be_too_large_together(kind: str, tmp_path: Path) -> None:
    members = {f'{number}.png': bytes(3000) for number in range(4)}
    refused(make(tmp_path / kind, members), tmp_path, r"refused at '3\.png': with it 12000 bytes")


def test_a_zip_that_holds_more_than_it_declares_is_refused(tmp_path: Path) -> None:
    archive = make(tmp_path / 'a.zip', {'zeros.png': bytes(9000)})
    content = archive.read_bytes()
    declared = (9000).to_bytes(4, 'little')
    assert content.count(declared) == 2
    archive.write_bytes(content.replace(declared, (10).to_bytes(4, 'little')))
    refused(archive, tmp_path, 'damaged')


def test_a_header_of_a_tar_may_not_fill_the_memory(tmp_path: Path) -> None:
    """A pax header of 64 MiB, in 64 kB."""
    info = tarfile.TarInfo('././@PaxHeader')
    info.type, info.size = tarfile.XHDTYPE, 64 * 1024**2
    archive = tmp_path / 'a.tar.gz'
    archive.write_bytes(gzip.compress(info.tobuf() + bytes(info.size), 9))
    refused(archive, tmp_path, 'a header has more than', max_bytes=1024**3)


def test_a_zip_with_too_many_members_is_refused_before_they_are_listed(tmp_path: Path) -> None:
    archive = make(tmp_path / 'a.zip', MEMBERS)
    content = bytearray(archive.read_bytes())
    place = content.rfind(b'PK\x05\x06')
    content[place : place + 22] = (
        b'PK\x06\x06' + (44).to_bytes(8, 'little') + bytes(12) + 2 * (10**7).to_bytes(8, 'little') + bytes(16)
        + b'PK\x06\x07' + bytes(4) + place.to_bytes(8, 'little') + bytes(4)
        + content[place : place + 22]
    )  # fmt: skip
    archive.write_bytes(content)
    refused(archive, tmp_path, 'declares 10000000 members')


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    archive = make(tmp_path / 'a.zip', {'a.png': b'a'})
    content = bytearray(archive.read_bytes())
    content[content.find(b'PK\x01\x02') + 8] |= 1
    archive.write_bytes(content)
    refused(archive, tmp_path, "'a.png' is encrypted")


@pytest.mark.parametrize('kind', KINDS)
def test_a_damaged_archive_leaves_nothing(kind: str, tmp_path: Path) -> None:
    archive = make(tmp_path / kind, {'a.png': b'a' * 100, 'b.png': bytes(range(256)) * 30})
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 3])
    refused(archive, tmp_path, 'is damaged')


@pytest.mark.parametrize('kind', KINDS)
def test_nothing_of_the_users_is_overwritten(kind: str, tmp_path: Path) -> None:
    mine = tmp_path / 'datasets/Set5/HR/bird.png'
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b'mine')
    archive = make(tmp_path / kind, MEMBERS)
    refused(archive, tmp_path, r'1 of its files would take the place of others, such as .*bird\.png')
    mine.write_bytes(MEMBERS['Set5/HR/bird.png'])
    assert extract(archive, tmp_path / 'datasets', max_bytes=10_000) == 3
    assert extract(archive, tmp_path / 'datasets', max_bytes=10_000) == 3


def test_another_kind_of_archive_is_named(tmp_path: Path) -> None:
    archive = tmp_path / 'a.rar'
    archive.write_bytes(b'Rar!')
    refused(archive, tmp_path, r'must be a \.zip, \.tar')
