"""Writes small EVTX files, so that tests and samples have event logs that are ours.

Layout after J. Metz, "Windows XML Event Log (EVTX) format" (github.com/libyal/libevtx): a file header, chunks
of 64 KiB, records of binary XML. Each record holds its own template, as Windows writes the first of a kind.
"""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = 4096
CHUNK = 65_536
FIRST_RECORD = 512
DIRTY = 1

_STRING, _UINT8, _UINT16, _UINT32, _UINT64, _FILETIME, _HEX64 = 0x01, 0x04, 0x06, 0x08, 0x0A, 0x11, 0x15


class Event(NamedTuple):
    """What one record says; `data` pairs with a name of None are data without names."""

    provider: str
    code: int
    channel: str
    when: datetime
    data: Sequence[tuple[str | None, str]]
    computer: str = "WS-114.corp.example"
    level: int = 0
    keywords: int = 0x8020000000000000
    user: str = ""
    user_data: str = ""  # name of UserData's element; EventData is written if there is none


def evtx(events: Sequence[Event], per_chunk: int = 50, first_id: int = 1, *, dirty: bool = False) -> bytes:
    """A whole file."""
    chunks = [
        _chunk(events[start : start + per_chunk], start + 1, first_id + start)
        for start in range(0, len(events), per_chunk)
    ]
    head = struct.pack(
        "<8sQQQIHHHH",
        b"ElfFile\0",
        0,
        max(len(chunks) - 1, 0),
        first_id + len(events),
        128,
        1,
        3,
        HEADER,
        len(chunks),
    ).ljust(120, b"\0")
    head += struct.pack("<II", DIRTY if dirty else 0, zlib.crc32(head))
    return head.ljust(HEADER, b"\0") + b"".join(chunks)


def record_offsets(content: bytes, chunk: int = 0) -> list[int]:
    """Where the records of a chunk begin in the file."""
    base = HEADER + chunk * CHUNK
    offsets = []
    at = base + FIRST_RECORD
    while content[at : at + 4] == b"**\0\0":
        offsets.append(at)
        at += struct.unpack_from("<I", content, at + 4)[0]
    return offsets


def _chunk(events: Sequence[Event], number: int, first_id: int) -> bytes:
    body = b""
    last = FIRST_RECORD
    for at, event in enumerate(events):
        last = FIRST_RECORD + len(body)
        body += _record(event, number + at, first_id + at, last)
    if FIRST_RECORD + len(body) > CHUNK:
        raise ValueError("more events than a chunk holds; give fewer per chunk")
    end = FIRST_RECORD + len(body)
    count = len(events)
    head = struct.pack(
        "<8sQQQQIIII",
        b"ElfChnk\0",
        number,
        number + count - 1,
        first_id,
        first_id + count - 1,
        128,
        last,
        end,
        zlib.crc32(body),
    ).ljust(120, b"\0")
    tables = bytes(FIRST_RECORD - 128)
    head += struct.pack("<II", 0, zlib.crc32(head + tables))
    return (head + tables + body).ljust(CHUNK, b"\0")


def _record(event: Event, number: int, identifier: int, offset: int) -> bytes:
    xml = _Xml(offset + 24)
    xml.instance(event, identifier)
    size = 24 + len(xml.out) + 4
    padding = -size % 8
    size += padding
    head = struct.pack("<4sIQQ", b"**\0\0", size, number, _filetime(event.when))
    return head + bytes(xml.out) + bytes(padding) + struct.pack("<I", size)


def _filetime(when: datetime) -> int:
    return (when - datetime(1601, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10


class _Xml:
    """Binary XML at a place in its chunk; offsets inside it count from the chunk's beginning."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.out = bytearray()
        self.values: list[tuple[int, bytes]] = []

    def instance(self, event: Event, identifier: int) -> None:
        """A fragment with one template and the values for it."""
        self.out += b"\x0f\x01\x01\0"
        self.out += b"\x0c\x01" + struct.pack("<I", 7)
        self.out += struct.pack("<I", self.offset + len(self.out) + 4)
        self.out += struct.pack("<I", 0) + bytes(16)  # no next template; GUID
        size_at = len(self.out)
        self.out += bytes(4)
        self.out += b"\x0f\x01\x01\0"
        self._event(event, identifier)
        self.out += b"\0"
        struct.pack_into("<I", self.out, size_at, len(self.out) - size_at - 4)
        self.out += struct.pack("<I", len(self.values))
        for kind, value in self.values:
            self.out += struct.pack("<HBB", len(value), kind, 0)
        for _, value in self.values:
            self.out += value
        self.out += b"\0"

    def _event(self, event: Event, identifier: int) -> None:
        with _Element(self, "Event", [("xmlns", "http://schemas.microsoft.com/win/2004/08/events/event")]):
            with _Element(self, "System"):
                _Element(self, "Provider", [("Name", event.provider)]).empty()
                self._leaf("EventID", _UINT16, struct.pack("<H", event.code))
                self._leaf("Version", _UINT8, b"\0")
                self._leaf("Level", _UINT8, bytes([event.level]))
                self._leaf("Task", _UINT16, struct.pack("<H", 12544))
                self._leaf("Opcode", _UINT8, b"\0")
                self._leaf("Keywords", _HEX64, struct.pack("<Q", event.keywords))
                when = (_FILETIME, struct.pack("<Q", _filetime(event.when)))
                _Element(self, "TimeCreated", [("SystemTime", when)]).empty()
                self._leaf("EventRecordID", _UINT64, struct.pack("<Q", identifier))
                ids = [
                    ("ProcessID", (_UINT32, struct.pack("<I", 712))),
                    ("ThreadID", (_UINT32, b"\x10\0\0\0")),
                ]
                _Element(self, "Execution", ids).empty()
                self._leaf("Channel", _STRING, event.channel.encode("utf-16-le"))
                self._leaf("Computer", _STRING, event.computer.encode("utf-16-le"))
                _Element(self, "Security", [("UserID", event.user)] if event.user else []).empty()
            if event.user_data:
                with _Element(self, "UserData"), _Element(self, event.user_data):
                    for name, value in event.data:
                        self._leaf(name or "Param", _STRING, value.encode("utf-16-le"))
                return
            with _Element(self, "EventData"):
                for name, value in event.data:
                    with _Element(self, "Data", [("Name", name)] if name else []):
                        self._substitution(_STRING, value.encode("utf-16-le"))

    def _leaf(self, name: str, kind: int, value: bytes) -> None:
        with _Element(self, name):
            self._substitution(kind, value)

    def _substitution(self, kind: int, value: bytes) -> None:
        self.out += b"\x0d" + struct.pack("<HB", len(self.values), kind)
        self.values.append((kind, value))

    def name(self, text: str) -> None:
        """A name, written where it is used."""
        self.out += struct.pack("<I", self.offset + len(self.out) + 4)
        number = 0
        for letter in text:
            number = (number * 65_599 + ord(letter)) & 0xFFFFFFFF
        self.out += struct.pack("<IHH", 0, number & 0xFFFF, len(text)) + text.encode("utf-16-le") + b"\0\0"

    def attribute(self, name: str, value: str | tuple[int, bytes], *, more: bool) -> None:
        """An attribute, whose value is text or a value of the instance."""
        self.out += b"\x46" if more else b"\x06"
        self.name(name)
        if isinstance(value, tuple):
            self._substitution(*value)
        else:
            self.out += b"\x05\x01" + struct.pack("<H", len(value)) + value.encode("utf-16-le")


class _Element:
    """An element of binary XML, open while it is entered."""

    def __init__(
        self, xml: _Xml, name: str, attributes: Sequence[tuple[str, str | tuple[int, bytes]]] = ()
    ) -> None:
        self._xml = xml
        xml.out += (b"\x41" if attributes else b"\x01") + b"\xff\xff"
        self._size_at = len(xml.out)
        xml.out += bytes(4)
        xml.name(name)
        if attributes:
            size_at = len(xml.out)
            xml.out += bytes(4)
            for at, (key, value) in enumerate(attributes):
                xml.attribute(key, value, more=at + 1 < len(attributes))
            struct.pack_into("<I", xml.out, size_at, len(xml.out) - size_at - 4)

    def __enter__(self) -> None:
        self._xml.out += b"\x02"

    def __exit__(self, *_: object) -> None:
        self._close(b"\x04")

    def empty(self) -> None:
        """Close it without content."""
        self._close(b"\x03")

    def _close(self, token: bytes) -> None:
        self._xml.out += token
        struct.pack_into("<I", self._xml.out, self._size_at, len(self._xml.out) - self._size_at - 4)


def security_sample() -> bytes:
    """The log `samples/windows/security.evtx`: a morning of a laptop that somebody uses from afar."""
    audit, channel = "Microsoft-Windows-Security-Auditing", "Security"
    sid = "S-1-5-21-1004336348-1177238915-682003330-1107"
    system = [
        ("SubjectUserSid", "S-1-5-18"),
        ("SubjectUserName", "WS-114$"),
        ("SubjectDomainName", "CORP"),
        ("SubjectLogonId", "0x3e7"),
    ]
    me = [
        ("SubjectUserSid", sid),
        ("SubjectUserName", "mreyes"),
        ("SubjectDomainName", "CORP"),
        ("SubjectLogonId", "0x2c41f0"),
    ]
    target = [("TargetUserSid", sid), ("TargetUserName", "mreyes"), ("TargetDomainName", "CORP")]
    session = [
        ("AccountName", "mreyes"),
        ("AccountDomain", "CORP"),
        ("LogonID", "0x2c41f0"),
        ("SessionName", "RDP-Tcp#3"),
        ("ClientName", "DESKTOP-7QK2M1"),
        ("ClientAddress", "203.0.113.77"),
    ]
    logon = [
        ("TargetLogonId", "0x2c41f0"),
        ("LogonType", "10"),
        ("LogonProcessName", "User32 "),
        ("AuthenticationPackageName", "Negotiate"),
        ("WorkstationName", "WS-114"),
        ("ProcessId", "0x1f8"),
        ("ProcessName", "C:\\Windows\\System32\\svchost.exe"),
        ("IpAddress", "203.0.113.77"),
        ("IpPort", "50412"),
    ]
    failed = [
        ("TargetUserSid", "S-1-0-0"),
        ("TargetUserName", "mreyes@corp.example"),
        ("TargetDomainName", ""),
        ("Status", "0xc000006d"),
        ("LogonType", "3"),
        ("WorkstationName", "-"),
        ("IpAddress", "::ffff:203.0.113.77"),
        ("IpPort", "0"),
    ]
    process = [
        ("NewProcessId", "0x1a2c"),
        ("NewProcessName", "C:\\ProgramData\\rustdesk\\rustdesk.exe"),
        ("TokenElevationType", "%%1938"),
        ("ProcessId", "0xd10"),
        ("CommandLine", '"C:\\ProgramData\\rustdesk\\rustdesk.exe" --service --name "day \\"two\\""'),
        ("TargetUserSid", "S-1-0-0"),
        ("TargetUserName", "-"),
        ("TargetDomainName", "-"),
        ("ParentProcessName", "C:\\Windows\\explorer.exe"),
    ]
    device = [
        ("DeviceId", "USB\\VID_0557&PID_2419\\NV39C0017"),
        ("DeviceDescription", "USB Composite Device"),
        ("ClassName", "USB"),
        ("VendorIds", "\n\t\tUSB\\VID_0557&PID_2419\n\t\t"),
    ]
    member = [
        ("MemberName", "CN=Reyes\\, Maria,OU=Staff,DC=corp,DC=example"),
        ("MemberSid", sid),
        ("TargetUserName", "Remote Desktop Users"),
        ("TargetDomainName", "Builtin"),
        ("TargetSid", "S-1-5-32-555"),
    ]
    failure = 0x8010000000000000
    rows = [
        (audit, 4625, [*system, *failed], failure),
        (audit, 4624, [*system, *target, *logon], None),
        (audit, 4672, [*me, ("PrivilegeList", "SeDebugPrivilege")], None),
        (audit, 4688, [*me, *process], None),
        (audit, 6416, [*system, *device], None),
        (audit, 4732, [*member, *system], None),
        (audit, 4779, session, None),
        (audit, 4778, session, None),
        (audit, 4800, [*target, ("TargetLogonId", "0x2c41f0"), ("SessionId", "3")], None),
        (audit, 4634, [*target, ("TargetLogonId", "0x2c41f0"), ("LogonType", "10")], None),
        ("Microsoft-Windows-Eventlog", 1102, me, 0x4020000000000000),
    ]
    start = datetime(2026, 10, 13, 13, 2, 11, 417_000, tzinfo=UTC)
    return evtx(
        [
            Event(
                provider,
                code,
                channel,
                start + timedelta(minutes=7 * at, microseconds=at),
                data,
                keywords=keywords or 0x8020000000000000,
                user_data="LogFileCleared" if code == 1102 else "",
            )
            for at, (provider, code, data, keywords) in enumerate(rows)
        ],
        per_chunk=8,
        first_id=51_200,
    )
