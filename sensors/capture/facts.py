"""What a capture says of itself: when, by what, how much was cut off or dropped, comments, names, secrets."""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.capture import container, walk
from sensors.capture.blocks import SECTION
from sensors.capture.container import MAX_INTERFACES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_NAMES, _SECRETS = 4, 10  # types of blocks
_SECRET_KINDS: Final = {
    0x544C534B: "tls", 0x5353484B: "ssh", 0x57474B4C: "wireguard", 0x5A4E574B: "zigbee",
    0x5A415053: "zigbee", 0x55414B4C: "opcua",
}  # fmt: skip
_LONGEST: Final = 4096  # bytes of one text
_MOST: Final = 1000  # texts of a kind


@dataclass(frozen=True, slots=True)
class Interface:
    """Where packets were taken; numbers are None where the capture does not say them."""

    link: int
    packets: int
    snaplen: int | None = None
    name: str | None = None
    description: str | None = None
    filter: str | None = None
    received: int | None = None
    dropped: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a capture says of itself, and how far it could be read.

    Times are microseconds since 1970, None where no packet has one. `shortened` packets were longer than what
    was captured of them, `backwards` ones are earlier than those before. `holes` are places that contradict
    themselves, `skipped` the bytes passed over there. `comments` are (frame, text), frame 0 for the capture's
    own; `names` (address, name); `secrets` how many blocks of each kind there are.
    """

    packets: int
    first: int | None
    last: int | None
    backwards: int
    shortened: int
    interfaces: tuple[Interface, ...]
    written_by: tuple[str, ...]
    comments: tuple[tuple[int, str], ...]
    commented: int
    names: tuple[tuple[str, str], ...]
    secrets: dict[str, int]
    holes: int
    skipped: int
    first_hole: int | None
    first_hole_frame: int | None


def facts(data: NDArray[np.uint8], state: NDArray[np.int64], table: NDArray[np.int64]) -> Facts:
    """What is known after a walk (`walk.packets`).

    Args:
        data: the file's bytes.
        state: the walk's, when it is over.
        table: the walk's, of interfaces and notes.
    """
    timed = state[container.LATEST] > 0
    holes = int(state[container.HOLES])
    texts = list(_section_texts(data, state, table))
    return Facts(
        packets=int(state[container.PACKETS]),
        first=int(state[container.EARLIEST]) if timed else None,
        last=int(state[container.LATEST]) if timed else None,
        backwards=int(state[container.BACKWARDS]),
        shortened=int(state[container.SHORTENED]),
        interfaces=tuple(_interfaces(data, state, table)),
        written_by=tuple(dict.fromkeys(text for code, text in texts if code != 1)),
        comments=tuple((0, text) for code, text in texts if code == 1) + tuple(_comments(data, state, table)),
        commented=int(state[container.COMMENTS]),
        names=tuple(dict.fromkeys(_names(data, state, table)))[:_MOST],
        secrets=dict(Counter(kind for kind, _ in _secrets(data, state, table))),
        holes=holes,
        skipped=int(state[container.SKIPPED]),
        first_hole=int(state[container.FIRST_HOLE]) if holes else None,
        first_hole_frame=int(state[container.FIRST_HOLE_FRAME]) if holes else None,
    )


def key_log(data: NDArray[np.uint8], state: NDArray[np.int64], table: NDArray[np.int64]) -> list[str]:
    """The lines of NSS key logs that the capture carries for its TLS (decryption secrets blocks)."""
    return [
        line
        for kind, content in _secrets(data, state, table)
        if kind == "tls"
        for line in content.decode("utf-8", "replace").splitlines()
        if line.strip()
    ]


def _notes(
    state: NDArray[np.int64], table: NDArray[np.int64], kind: int
) -> Iterator[tuple[int, int, int, str]]:
    """Place, bytes, frame, byte order of the notes of a kind."""
    rows = table[MAX_INTERFACES : MAX_INTERFACES + int(state[container.NOTES])]
    for row in rows[rows[:, container.N_KIND] == kind]:
        order = "big" if row[container.N_SWAPPED] else "little"
        yield int(row[container.N_AT]), int(row[container.N_BYTES]), int(row[container.N_FRAME]), order


def _number(content: bytes, at: int, size: int, order: str) -> int:
    return int.from_bytes(content[at : at + size], "big" if order == "big" else "little")


def _text(content: bytes) -> str:
    return content[:_LONGEST].decode("utf-8", "replace").rstrip("\0")


def _options(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(content):
        code, size = _number(content, at, 2, order), _number(content, at + 2, 2, order)
        if code == 0:
            return
        yield code, content[at + 4 : at + 4 + size]
        at += 4 + (size + 3) // 4 * 4


def _interfaces(
    data: NDArray[np.uint8], state: NDArray[np.int64], table: NDArray[np.int64]
) -> Iterator[Interface]:
    if not state[container.NEXT_GEN]:
        snap = int(state[container.SNAP])
        yield Interface(int(state[container.LINK_TYPE]), int(state[container.PACKETS]), snap or None)
        return
    used = table[:MAX_INTERFACES]
    for row in used[used[:, container.I_BLOCK] > 0]:
        order = "big" if row[container.I_SWAPPED] else "little"
        said = dict(_options(_body(data, int(row[container.I_BLOCK]), 16, order), order))
        told: dict[int, bytes] = {}
        if row[container.I_STATISTICS]:
            told = dict(_options(_body(data, int(row[container.I_STATISTICS]), 20, order), order))
        yield Interface(
            link=int(row[container.I_LINK]),
            packets=int(row[container.I_PACKETS]),
            snaplen=int(row[container.I_SNAP]) or None,
            name=_text(said[2]) if 2 in said else None,  # noqa: PLR2004 - options' codes, here and below
            description=_text(said[3]) if 3 in said else None,  # noqa: PLR2004
            filter=_text(said[11][1:]) if said.get(11, b"\1")[:1] == b"\0" else None,
            received=_number(told[4], 0, 8, order) if 4 in told else None,  # noqa: PLR2004
            dropped=_number(told[5], 0, 8, order) if 5 in told else None,  # noqa: PLR2004
        )


def _body(data: NDArray[np.uint8], at: int, head: int, order: str) -> bytes:
    """The bytes of a block behind so many of its head."""
    length = _number(data[at + 4 : at + 8].tobytes(), 0, 4, order)
    return data[at + head : at + length - 4].tobytes()


def _section_texts(
    data: NDArray[np.uint8], state: NDArray[np.int64], table: NDArray[np.int64]
) -> Iterator[tuple[int, str]]:
    """Comments (1), hardware (2), operating system (3) and program (4) of the sections."""
    for at, _, _, order in _notes(state, table, SECTION):
        for code, content in _options(_body(data, at, 24, order), order):
            if code in (1, 2, 3, 4):
                yield code, _text(content)


def _comments(
    data: NDArray[np.uint8], state: NDArray[np.int64], table: NDArray[np.int64]
) -> Iterator[tuple[int, str]]:
    for number, (at, size, frame, _) in enumerate(_notes(state, table, container.NOTE_COMMENT)):
        if number < _MOST:
            yield frame, _text(data[at : at + min(size, _LONGEST)].tobytes())


def _names(
    data: NDArray[np.uint8], state: NDArray[np.int64], table: NDArray[np.int64]
) -> Iterator[tuple[str, str]]:
    """Name resolution blocks: records of an address (1: IPv4, 2: IPv6) and its names."""
    for at, _, _, order in _notes(state, table, _NAMES):
        for code, content in _options(_body(data, at, 8, order), order):
            size = {1: 4, 2: 16}.get(code)
            if size is None or len(content) <= size:
                continue
            address = str(ipaddress.ip_address(content[:size]))
            for name in content[size:].split(b"\0"):
                if name:
                    yield address, _text(name)


def _secrets(
    data: NDArray[np.uint8], state: NDArray[np.int64], table: NDArray[np.int64]
) -> Iterator[tuple[str, bytes]]:
    """What decryption secrets blocks hold: its kind, and the bytes."""
    for at, _, _, order in _notes(state, table, _SECRETS):
        body = _body(data, at, 8, order)
        kind, size = _number(body, 0, 4, order), _number(body, 4, 4, order)
        yield _SECRET_KINDS.get(kind, "other"), body[8 : 8 + size]


def of(path: Path) -> Facts:
    """What the capture at `path` says of itself; its packets are walked over, not looked into."""
    data = np.memmap(path, np.uint8, mode="r")
    state, table = container.begin(data, resume=True)
    packets = np.empty((1 << 16, container.PACKET_COLUMNS), np.int64)
    while walk.packets(data, state, table, packets) and state[container.STATUS] == container.GOING:
        pass
    return facts(data, state, table)
