"""Compressed streams, opened without unpacking them to disk and without trusting them."""

from __future__ import annotations

import bz2
import io
import lzma
import zipfile
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable

# Deflate grows a byte to 1,032, a zstd block of 4 bytes to 128 KiB: the small piece bounds memory.
_PIECE: Final = 4096
_BOMB_BYTES: Final = 256 << 20
_BOMB_RATIO: Final = 400  # measured on logs: 10 to 40, on one line repeated for ever: 200

_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x1f\x8b", ".gz"),
    (b"\x28\xb5\x2f\xfd", ".zst"),
    (b"BZh", ".bz2"),
    (b"\xfd7zXZ\x00", ".xz"),
)


class _Codec(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


_CODECS: Final[dict[str, Callable[[], _Codec]]] = {
    ".gz": lambda: zlib.decompressobj(wbits=31),
    ".zst": lambda: zstandard.ZstdDecompressor().decompressobj(),
    ".bz2": bz2.BZ2Decompressor,
    ".xz": lzma.LZMADecompressor,
}
_ERRORS: Final = (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError)


def compression(head: bytes) -> str | None:
    """The ending that names how content beginning with `head` is compressed, or None."""
    return next((ending for magic, ending in _MAGIC if head.startswith(magic)), None)


class Unpacked(io.RawIOBase):
    """The decompressed bytes of `raw`, members one after another.

    Everything that can be decompressed is handed out first; only then does a read raise.

    Raises (from `read`):
        EOFError: the compressed data ends early.
        OSError: it is corrupt, or it grows so much that it can only be meant to fill the machine.
    """

    def __init__(self, raw: BinaryIO, ending: str) -> None:
        super().__init__()
        self._raw = raw
        self._new = _CODECS[ending]
        self._codec = self._new()
        self._ready = bytearray()
        self._fault: Exception | None = None
        self._ended = False
        self._taken = 0
        self._given = 0

    def readable(self) -> bool:
        """A decompressed stream can be read, and nothing else."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # typeshed's Buffer is wider
        """Fill `buffer` as far as there is content; 0 at the end."""
        while len(self._ready) < len(buffer) and not self._ended:
            self._feed()
        if not self._ready and self._fault is not None:
            raise self._fault
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        del self._ready[:count]
        return count

    def _feed(self) -> None:
        try:
            data = self._raw.read(_PIECE)
            if not data:
                self._ended = True
                if not self._codec.eof and self._taken:
                    self._fault = EOFError("the compressed data is cut off")
                return
            self._taken += len(data)
            while data:
                if self._codec.eof:
                    data = data.lstrip(b"\0")  # tar pads
                    if not data:
                        break
                    self._codec = self._new()
                out = self._codec.decompress(data)
                self._ready += out
                self._given += len(out)
                data = self._codec.unused_data if self._codec.eof else b""
        except _ERRORS as error:
            self._ended, self._fault = True, OSError(f"corrupt compressed data ({error})")
        if self._given > _BOMB_BYTES and self._given > _BOMB_RATIO * self._taken:
            self._ended = True
            self._fault = OSError(f"it unpacks more than {_BOMB_RATIO}-fold; reading stopped there")

    def close(self) -> None:
        """Close the compressed stream as well."""
        self._raw.close()
        super().close()


class Guarded(io.RawIOBase):
    """A zip member's stream: stops where it grows beyond all reason, and speaks of errors as `OSError`."""

    def __init__(self, raw: BinaryIO, packed_bytes: int) -> None:
        super().__init__()
        self._raw = raw
        self._packed = packed_bytes
        self._given = 0

    def readable(self) -> bool:
        """A member can be read, and nothing else."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # typeshed's Buffer is wider
        """Fill `buffer` as far as there is content; 0 at the end."""
        if self._given > _BOMB_BYTES and self._given > _BOMB_RATIO * self._packed:
            raise OSError(f"it unpacks more than {_BOMB_RATIO}-fold; reading stopped there")
        try:
            data = self._raw.read(min(len(buffer), 1 << 20))
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError) as error:
            raise OSError(f"corrupt compressed data ({error})") from error
        self._given += len(data)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the member as well."""
        self._raw.close()
        super().close()
