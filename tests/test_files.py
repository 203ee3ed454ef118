from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from sensors import files
from sensors.reading import framing, unpack
from sensors.sensor import Source, Unread

LINES = b"".join(b"line %d of a log\n" % number for number in range(20_000))

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def read(source: Source) -> bytes:
    text = b""
    for frame in framing.lines(source):
        text += "".join(line + "\n" for line in frame["text"]).encode()
    return text


@pytest.mark.parametrize("ending", PACKERS)
def test_compressed_files_are_read_in_the_stream(
    tmp_path: Path, sources_of: Callable[[Path], Iterator[Source]], ending: str
) -> None:
    path = tmp_path / f"a.log{ending}"
    # Two members one after another, as log rotation appends them.
    path.write_bytes(PACKERS[ending](LINES) + PACKERS[ending](LINES))
    (source,) = sources_of(path)
    assert source.name == "a.log"
    assert read(source) == LINES * 2
    assert source.unread == []


@pytest.mark.parametrize("ending", PACKERS)
def test_what_comes_before_a_cut_is_kept_and_the_cut_is_named(
    tmp_path: Path, sources_of: Callable[[Path], Iterator[Source]], ending: str
) -> None:
    noise = os.urandom(1 << 20).hex().encode()
    packed = PACKERS[ending](b"\n".join(noise[i : i + 64] for i in range(0, len(noise), 64)))
    path = tmp_path / f"a.log{ending}"
    path.write_bytes(packed[: len(packed) * 3 // 4])
    (source,) = sources_of(path)
    kept = read(source).replace(b"\n", b"")
    assert noise.startswith(kept[: len(kept) // 64 * 64])
    assert len(kept) > len(noise) // 4 or ending in {".bz2", ".xz"}  # these two decode whole blocks only
    assert ["cut off" in each.reason for each in source.unread] == [True]


def test_corrupt_bytes_in_the_middle_are_named(
    tmp_path: Path, sources_of: Callable[[Path], Iterator[Source]]
) -> None:
    packed = bytearray(gzip.compress(os.urandom(1 << 20).hex().encode()))
    packed[len(packed) // 2 : len(packed) // 2 + 100] = b"\xff" * 100
    path = tmp_path / "a.log.gz"
    path.write_bytes(packed)
    (source,) = sources_of(path)
    list(framing.chunks(source))
    assert "corrupt" in source.unread[0].reason


def test_archives_in_archives(tmp_path: Path, sources_of: Callable[[Path], Iterator[Source]]) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("deep/b.log", LINES)
        made.writestr("c.log.gz", gzip.compress(LINES))
    path = tmp_path / "out.tgz"
    with tarfile.open(path, "w:gz") as tar:
        for name, data in (("logs/in.zip", inner.getvalue()), ("logs/a.log", LINES)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    read_names = []
    for source in sources_of(path):  # one after another: a tar is read in passing
        assert read(source) == LINES
        read_names.append((source.path.removeprefix(str(path)), source.name))
    assert read_names == [
        ("!logs/in.zip!deep/b.log", "b.log"),
        ("!logs/in.zip!c.log.gz", "c.log"),
        ("!logs/a.log", "a.log"),
    ]


def test_a_member_name_never_leaves_the_archive(
    tmp_path: Path, sources_of: Callable[[Path], Iterator[Source]]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "evil.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("../../escaped.log", "text\n")
        made.writestr("a\x1b[31m.log", "text\n")
    names = []
    for source in sources_of(path):  # an archive is open only while its members are asked for
        assert read(source) == b"text\n"
        names.append(source.name)
        with source.local() as copy:
            assert copy.read_text() == "text\n"
            assert "escaped" not in copy.name
    assert names == ["escaped.log", "a\N{REPLACEMENT CHARACTER}[31m.log"]
    assert [each.name for each in tmp_path.iterdir()] == ["in"]
    assert [each.name for each in folder.iterdir()] == ["evil.zip"]


@pytest.mark.parametrize("kind", ["zip", "gz"])
def test_what_unpacks_a_thousandfold_is_stopped_and_named(
    tmp_path: Path,
    sources_of: Callable[[Path], Iterator[Source]],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.setattr(unpack, "_BOMB_BYTES", 4 << 20)
    bomb = b"0" * (64 << 20)
    path = tmp_path / f"bomb.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("bomb.log", bomb)
    else:
        path.write_bytes(gzip.compress(bomb))
    for source in sources_of(path):
        given = sum(len(chunk) for chunk in framing.chunks(source))
        assert given < 32 << 20
        assert "400-fold" in source.unread[0].reason


def test_damaged_and_encrypted_archives_are_named(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a.log", LINES)
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(whole.getvalue()[:-30])
    locked = bytearray(whole.getvalue())
    locked[6] |= 1  # general purpose bit 0: encrypted (APPNOTE 4.4.4), local and central header
    locked[locked.rindex(b"PK\x01\x02") + 8] |= 1
    encrypted = tmp_path / "encrypted.zip"
    encrypted.write_bytes(locked)
    for path, word in ((damaged, "damaged"), (encrypted, "encrypted")):
        (unread,) = files.sources(path)
        assert isinstance(unread, Unread)
        assert word in unread.reason


def test_a_folder_is_walked_in_order_and_a_refusal_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b/2.log", "b/1.log", "a.log", "locked/x.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x\n")
    allowed = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("locked"):  # root may list anything, so the refusal is the system call's
            raise PermissionError(13, "Permission denied", str(path))
        return allowed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = list(files.walk([tmp_path]))
    assert [str(each.relative_to(tmp_path)) for each in found if isinstance(each, Path)] == [
        "a.log",
        "b/1.log",
        "b/2.log",
    ]
    (refused,) = (each for each in found if isinstance(each, Unread))
    assert refused.path.endswith("locked")
    assert "Permission denied" in refused.reason


def test_links_to_folders_elsewhere_are_named_and_not_followed(tmp_path: Path) -> None:
    for name in ("logs/2026/a.log", "elsewhere/b.log"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("x\n")
    (tmp_path / "logs" / "current").symlink_to(tmp_path / "logs" / "2026")
    (tmp_path / "logs" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "logs" / "round").symlink_to(tmp_path / "logs")
    (unread, log) = files.walk([tmp_path / "logs"])
    assert log == tmp_path / "logs" / "2026" / "a.log"
    assert isinstance(unread, Unread)
    assert unread.path == str(tmp_path / "logs" / "more")
    assert str(tmp_path / "elsewhere") in unread.reason


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.filterwarnings("ignore:Duplicate name")  # zipfile's own, of what this test is about
def test_two_members_of_one_name_are_two_sources(
    tmp_path: Path, sources_of: Callable[[Path], Iterator[Source]], kind: str
) -> None:
    path = tmp_path / f"twice.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as made:
            made.writestr("a.log", "one\n")
            made.writestr("a.log", "two\n")
    else:
        with tarfile.open(path, "w") as tar:
            for data in (b"one\n", b"two\n"):
                info = tarfile.TarInfo("a.log")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    found = [(source.path.removeprefix(str(path)), source.name, read(source)) for source in sources_of(path)]
    assert found == [("!a.log", "a.log", b"one\n"), ("!a.log#2", "a.log", b"two\n")]


def test_a_tar_cut_in_a_member_gives_what_is_there_and_names_the_cut(tmp_path: Path) -> None:
    path = tmp_path / "cut.tar"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("a.log")
        info.size = len(LINES)
        tar.addfile(info, io.BytesIO(LINES))
    path.write_bytes(path.read_bytes()[: len(LINES) * 3 // 4])
    found = files.sources(path)
    source = next(found)
    assert isinstance(source, Source)
    kept = read(source)
    assert kept[:-1] == LINES[: len(kept) - 1]  # the last line is half a line
    assert len(kept) > len(LINES) * 3 // 4 - (32 << 10)
    assert [each.reason for each in source.unread] == [
        "the data ends early: the archive is cut off (unexpected end of data)"
    ]
    (unread,) = found
    assert isinstance(unread, Unread)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reasons = [
        item.reason
        for path in (tmp_path / "pipe", tmp_path / "missing")
        for item in files.sources(path)
        if isinstance(item, Unread)
    ]
    assert ["regular" in reasons[0], "no such file" in reasons[1]] == [True, True]
