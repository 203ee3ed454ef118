"""SMB1 and SMB2, on conversations made here."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_conversations import streams_of
from test_capture_ntlm import authenticate, challenge

from sensors import schema
from sensors.capture import wide
from sensors.capture.protocols import ntlm, smb
from sensors.capture.protocols.smb import framing

GOES_ON, REFUSED, SESSION = 0xC0000016, 0xC000006D, 0x400000000005
HANDLE = bytes(range(1, 17))


def framed(*messages: bytes) -> bytes:
    return b"\0" + len(b"".join(messages)).to_bytes(3) + b"".join(messages)


@dataclass
class Talk:
    """A conversation in SMB2."""

    asked: bytes = b""
    answered: bytes = b""
    number: int = 0
    places: list[int] = field(default_factory=list)

    def say(self, command: int, question: bytes, answer: bytes, status: int = 0, tree: int = 1) -> None:
        self.places.append(len(self.asked) + 4)
        self.asked += framed(self.header(command, 0, 0, tree) + question)
        self.answered += framed(self.header(command, status, 1, tree) + answer)
        self.number += 1

    def header(self, command: int, status: int, flags: int, tree: int) -> bytes:
        fixed = struct.pack("<HHIHHII", 64, 0, status, command, 1, flags, 0)
        return b"\xfeSMB" + fixed + struct.pack("<QIIQ16x", self.number, 0, tree, SESSION)

    def connect(self, path: str, tree: int, kind: int) -> None:
        text = path.encode("utf-16-le")
        self.say(
            3, struct.pack("<HHHH", 9, 0, 72, len(text)) + text, struct.pack("<HBx12x", 16, kind), tree=tree
        )

    def open(self, name: str, *, status: int = 0, tree: int = 1, done: int = 1, options: int = 0) -> None:
        text = name.encode("utf-16-le")
        asked = struct.pack("<HBBIQQIIIIIHHII", 57, 0, 0, 2, 0, 0, 1, 0, 7, 2, options, 120, len(text), 0, 0)
        stamp = 133_000_000_000_000_000
        told = struct.pack("<HBBI4QQQII", 89, 0, 0, done, stamp, stamp, stamp, stamp, 0, 777, 0x20, 0)
        self.say(5, asked + text, told + HANDLE + bytes(8), status, tree)

    def login(self, status: int) -> None:
        asked = b"\x19\0" + bytes(22)
        self.say(1, asked, b"\x09\0\0\0\x48\0" + struct.pack("<H", len(challenge())) + challenge(), GOES_ON)
        self.say(1, asked + authenticate("ada", "CORP", "LT-ADA"), b"\x09\0\0\0\0\0\0\0", status)


def whole_talk() -> Talk:
    talk = Talk()
    talk.say(0, bytes(36), struct.pack("<HHH2x16x16xQQ", 65, 1, 0x311, 133_000_000_000_000_000, 0))
    talk.login(0)
    talk.connect("\\\\FILES1\\finance", 1, 1)
    talk.connect("\\\\FILES1\\IPC$", 2, 2)
    talk.open("2026\\pay.xlsx", done=2)
    for _ in range(2):
        talk.say(
            9,
            struct.pack("<HHIQ", 49, 112, 500, 0) + HANDLE + bytes(8) + b"x" * 50,
            struct.pack("<HHII", 17, 0, 500, 0),
        )
    new = "2026\\gone.xlsx".encode("utf-16-le")
    buffer = bytes(16) + struct.pack("<I", len(new)) + new
    talk.say(17, struct.pack("<HBBIHHI", 33, 1, 10, len(buffer), 96, 0, 0) + HANDLE + buffer, b"\x02\0")
    talk.say(17, struct.pack("<HBBIHHI", 33, 1, 13, 1, 96, 0, 0) + HANDLE + b"\1", b"\x02\0")
    talk.open("secret.txt", status=0xC0000022)
    talk.open("svcctl", tree=2)
    return talk


def test_a_conversation_in_smb2() -> None:
    talk = whole_talk()
    streams = streams_of([(talk.asked, talk.answered)])
    assert smb.PROTOCOL.fits(streams).all()
    found = smb.PROTOCOL.events(streams).sort("side", "at")
    checked = schema.conform(found.drop("row", "side", "at"))
    said = [(one["event.action"], one["file.path"] or one["capture.smb.path"]) for one in checked.to_dicts()]
    assert said == [
        ("tree_connect", "\\\\FILES1\\finance"),
        ("tree_connect", "\\\\FILES1\\IPC$"),
        ("SMB::FILE_OPEN", "\\\\FILES1\\finance\\2026\\pay.xlsx"),
        ("SMB::FILE_WRITE", "\\\\FILES1\\finance\\2026\\pay.xlsx"),
        ("SMB::FILE_RENAME", "\\\\FILES1\\finance\\2026\\gone.xlsx"),
        ("SMB::FILE_DELETE", "\\\\FILES1\\finance\\2026\\pay.xlsx"),
        ("SMB::FILE_OPEN", "\\\\FILES1\\finance\\secret.txt"),
        ("SMB::PIPE_OPEN", "\\\\FILES1\\IPC$\\svcctl"),
        ("negotiate", None),
    ]
    assert found["at"].to_list() == [talk.places[k] for k in (3, 4, 5, 6, 8, 9, 10, 11)] + [4]
    assert set(checked["user.name"].drop_nulls()) == {"ada"}
    assert checked["event.outcome"].to_list()[6] == "failure"
    assert checked["capture.smb.bytes"].to_list()[3] == 1000
    assert checked["capture.smb.previous_name"].to_list()[4] == "2026\\pay.xlsx"
    assert checked["event.type"].to_list()[2] == ["connection", "protocol", "creation"]
    assert checked["file.size"].to_list()[2] == 777
    assert checked["capture.smb.dialect"].to_list()[-1] == "3.11"


def test_a_login_takes_its_outcome_from_smb() -> None:
    good, bad = Talk(), Talk()
    good.login(0)
    bad.login(REFUSED)
    bad.login(0)
    found = ntlm.PROTOCOL.events(streams_of([(good.asked, good.answered), (bad.asked, bad.answered)]))
    assert found["event.outcome"].to_list() == ["success", "failure", "success"]
    assert found["event.reason"].to_list() == [None, "STATUS_LOGON_FAILURE", None]
    assert set(found["capture.ntlm.within"]) == {"smb"}
    assert set(found["destination.domain"]) == {"files1.corp.example"}


def test_related_commands_use_the_file_before_them() -> None:
    talk = Talk()
    talk.connect("\\\\FILES1\\finance", 1, 1)
    talk.open("a.txt")
    frame, number = talk.asked[len(framed(talk.asked[4:])) :], talk.number
    assert not frame
    close = (
        talk.header(17, 0, 4, 0xFFFFFFFF)
        + struct.pack("<HBBIHHI", 33, 1, 13, 1, 96, 0, 0)
        + b"\xff" * 16
        + b"\1"
    )
    at = talk.places[-1] - 4
    opening = bytearray(talk.asked[at + 4 :])
    opening += bytes(-len(opening) % 8)
    opening[20:24] = struct.pack("<I", len(opening))
    asked = talk.asked[:at] + framed(bytes(opening), close)
    talk.number = number
    answered = talk.answered + framed(talk.header(17, 0, 1, 1) + b"\x02\0")
    found = smb.PROTOCOL.events(streams_of([(asked, answered)]))
    assert found.filter(found["event.action"] == "SMB::FILE_DELETE")["file.name"].to_list() == ["a.txt"]


def one(
    command: int, words: bytes, data: bytes, *, answer: bool = False, tree: int = 0, flags: int = 0x8000
) -> bytes:
    head = (
        b"\xffSMB" + bytes([command]) + bytes(4) + bytes([0x80 if answer else 0]) + struct.pack("<H", flags)
    )
    return (
        head
        + bytes(12)
        + struct.pack("<HHHH", tree, 7, 99, 1)
        + bytes([len(words) // 2])
        + words
        + struct.pack("<H", len(data))
        + data
    )


def test_a_conversation_in_smb1() -> None:
    names = b"".join(text.encode("utf-16-le") + b"\0\0" for text in ("eve", "CORP", "Windows 5.1", "LM"))
    login = b"\xff\0" + bytes(12) + struct.pack("<HH", 3, 4) + bytes(8)
    path = "\\\\OLD\\C$".encode("utf-16-le") + b"\0\0"
    file = "\\x.exe".encode("utf-16-le") + b"\0\0"
    create = b"\xff" + bytes(34) + struct.pack("<II", 2, 0) + bytes(5)
    made = b"\xff" + bytes(4) + struct.pack("<HI", 0x4001, 2) + bytes(32) + bytes(25)
    asked = [
        one(0x72, b"", b"\x02PC NETWORK PROGRAM 1.0\0\x02NT LM 0.12\0"),
        one(0x73, login, b"LMPNTLM" + b"\0" * ((33 + 26 + 2 + 7) % 2) + names),
        one(0x75, b"\xff\0\0\0\0\0\1\0", b"\0" + b"\0" * ((33 + 8 + 2 + 1) % 2) + path + b"?????\0"),
        one(0xA2, create, b"\0" * ((33 + len(create) + 2) % 2) + file, tree=5),
    ]
    answered = [
        one(0x72, b"\x01\0" + bytes(32), b"", answer=True),
        one(0x73, b"\xff\0\0\0\0\0", b"", answer=True),
        one(0x75, b"\xff\0\0\0\0\0", b"A:\0N\0", answer=True, tree=5),
        one(0xA2, made, b"", answer=True, tree=5),
    ]
    streams = streams_of([(b"".join(map(framed, asked)), b"".join(map(framed, answered)))])
    found = smb.PROTOCOL.events(streams).sort("at")
    assert found["event.action"].to_list() == ["negotiate", "session_setup", "tree_connect", "SMB::FILE_OPEN"]
    assert found["capture.smb.dialect"].to_list()[0] == "NT LM 0.12"
    assert found["user.name"].to_list()[1:] == ["eve"] * 3
    assert found["capture.smb.client.system"].to_list()[1] == "Windows 5.1"
    assert found["capture.smb.share_type"].to_list()[2:] == ["DISK", "DISK"]
    assert found["file.path"].to_list()[3] == "\\\\OLD\\C$\\x.exe"


def test_encryption_is_seen() -> None:
    talk = Talk()
    talk.say(0, bytes(36), struct.pack("<HHH2x16x16xQQ", 65, 1, 0x300, 0, 0))
    sealed = framed(b"\xfdSMB" + bytes(60))
    found = smb.PROTOCOL.events(streams_of([(talk.asked + sealed, talk.answered), (sealed, sealed)]))
    assert found["capture.smb.encrypted"].to_list() == [True, True]
    assert found["event.action"].to_list() == ["negotiate", "encrypted"]


def test_a_session_of_netbios_comes_before() -> None:
    talk = whole_talk()
    request, granted = b"\x81\0\0\x44" + 2 * (b"\x20" + b"CA" * 16 + b"\0"), b"\x82\0\0\0"
    streams = streams_of([(request + talk.asked, granted + talk.answered), (request, granted)])
    assert smb.PROTOCOL.fits(streams).tolist() == [True, False]
    assert smb.PROTOCOL.events(streams).height == len(sound())


def test_other_protocols_do_not_fit() -> None:
    others = [
        b"",
        b"\0\0\0\x20\xfeSMA" + bytes(30),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x81\0\0\x44\x20" + bytes(68),
        b"\0" * 80,
    ]
    assert not smb.PROTOCOL.fits(streams_of([(each, each) for each in others])).any()


@cache
def sound() -> list[tuple[object, ...]]:
    talk = whole_talk()
    return smb.PROTOCOL.events(streams_of([(talk.asked, talk.answered)])).drop("row").rows()


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_broken_conversations_do_no_harm(data: st.DataObject) -> None:
    talk = whole_talk()
    sides = []
    for side in (talk.asked, talk.answered):
        broken = bytearray(side[: data.draw(st.integers(0, len(side)))])
        for _ in range(data.draw(st.integers(0, 4)) if broken else 0):
            broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
        sides.append(bytes(broken))
    streams = streams_of([(sides[0], sides[1]), (talk.asked, talk.answered)])
    smb.PROTOCOL.fits(streams)
    assert smb.PROTOCOL.events(streams).filter(row=1).drop("row").rows() == sound()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2000), st.integers(0, 255))
def test_bounds_are_kept(at: int, byte: int) -> None:
    talk = whole_talk()
    broken = bytearray(talk.asked)
    broken[at % len(broken)] = byte
    streams = streams_of([(bytes(broken[: len(broken) - at // 7]), b"")])
    found = np.empty((200, len(framing.COLUMNS)), np.int64)
    size = framing.scan.py_func(streams.data, streams.starts, streams.ends, found)  # type: ignore[attr-defined]
    same = framing.messages(streams)
    assert (found[:size] == same.select(framing.COLUMNS).to_numpy()).all()


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=20), st.sampled_from([b"", b"A"]))
def test_utf16_reads_as_python_reads_it(text: str, odd: bytes) -> None:
    held = text.encode("utf-16-le") + odd
    found = wide.column(
        np.frombuffer(b"xx" + held, np.uint8), np.array([2]), np.array([2 + len(held)]), several=True
    )
    wanted = "".join(c if c >= " " or c == "\0" else "\ufffd" for c in text)
    assert (found[0] or "") == wanted
