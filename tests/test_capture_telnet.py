from __future__ import annotations

import numpy as np
import pytest
from broken_conversations import bears, broken, events, interpreted
from hypothesis import given, settings
from slow_conversations import streams_of

from sensors.capture.protocols.telnet import PROTOCOLS, walk

TELNET, RLOGIN, RSH, REXEC = PROTOCOLS
SERVER = (
    b"\xff\xfd\x18\xff\xfd\x27\xff\xfb\x01\r\nDebian\r\nhost login: alicx\x08 \x08e\r\nPassword: \r\n"
    b"\r\nLogin incorrect\r\nhost login: bob\r\nPassword: \r\nLast login: yesterday\r\n$ "
)
CLIENT = (
    b"\xff\xfb\x18\xff\xfb\x1f\xff\xfa\x18\0xterm\xff\xf0\xff\xfa\x1f\0\x50\0\x18\xff\xf0"
    b"\xff\xfa\x27\0\0USER\1carol\3HOME\1/home\xff\xf0alicx\x7fe\r\0secret\r\0bob\r\0hunter2\r\0"
)
WHOLE = CLIENT, SERVER


def test_negotiation_and_login() -> None:
    (event,) = events(TELNET, WHOLE)
    assert event == {
        "row": 0,
        "side": 1,
        "at": 0,
        "event.dataset": "capture.telnet",
        "event.kind": "event",
        "event.category": ["network"],
        "event.type": ["connection", "protocol"],
        "event.action": "login",
        "network.protocol": "telnet",
        "user.name": "bob",
        "source.user.name": "bob",
        "capture.telnet.terminal_type": "xterm",
        "capture.telnet.columns": "80",
        "capture.telnet.lines": "24",
        "capture.telnet.client.options": ["WILL TERMINAL-TYPE", "WILL NAWS"],
        "capture.telnet.server.options": ["DO TERMINAL-TYPE", "DO NEW-ENVIRON", "WILL ECHO"],
    }


def test_refused() -> None:
    server = SERVER[: SERVER.index(b"host login: bob")]
    (event,) = events(TELNET, (CLIENT, server))
    assert (event["user.name"], event["event.outcome"]) == ("alice", "failure")


def test_name_of_the_environment() -> None:
    (event,) = events(TELNET, (CLIENT, SERVER[:9]))
    assert (event["event.action"], event["user.name"]) == ("negotiation", "carol")


@pytest.mark.parametrize(
    ("client", "server", "name"),
    [
        (b"dave\r\nsecret\r\n", b"Username: \r\nPassword: \r\n>", "dave"),
        (b"da\x7fave\r\0secret\r\0", b"login: da\x08 \x08ave\r\nPassword: ", "dave"),
        (b"secret\r\n", b"\r\nUser Access Verification\r\n\r\nPassword: \r\nsw>enable\r\nuser: ", None),
        (b"secret\r\n", b"Authorized user: none but staff\r\nPassword: \r\nsw>", None),
        (b"secret\r\n", b"Staff login: only here\r\nPassword: \r\nsw>", None),
        (b"secret\r\n", b"Last login: Monday\r\nPassword: ", None),
        (b"two words\r\nsecret\r\n", b"login: \r\nPassword: ", None),
    ],
)
def test_passwords_are_no_names(client: bytes, server: bytes, name: str | None) -> None:
    (event,) = events(TELNET, (client, server), port=23)
    assert event.get("user.name") == name
    assert "secret" not in str(event)


def test_what_is_no_telnet() -> None:
    utf16 = "<html>".encode("utf-16")
    assert not events(TELNET, (b"", utf16), (b"", b"login: "), (b"\xff\xfb\x90\x44", b"\xff\xfb\x90\x44"))
    assert not events(TELNET, (b"SSH-2.0-x\r\n", b"SSH-2.0-y\r\n"), (b"", b"220 ready\r\n"), port=23)


def test_berkeley() -> None:
    (rlogin,) = events(RLOGIN, (b"\0ann\0root\0vt100/9600\0", b"\0"), port=513)
    assert (rlogin["source.user.name"], rlogin["user.name"]) == ("ann", "root")
    assert rlogin["capture.rlogin.terminal_type"] == "vt100"
    (rsh,) = events(RSH, (b"1022\0ann\0root\0uname -a\0", b"\0"), port=514)
    assert (rsh["source.user.name"], rsh["user.name"]) == ("ann", "root")
    assert rsh["process.command_line"] == "uname -a"
    (rexec,) = events(REXEC, (b"0\0ann\0secret\0uname -a\0", b"\0"), port=512)
    assert (rexec["user.name"], rexec["process.command_line"]) == ("ann", "uname -a")
    assert "secret" not in str(rexec)


def test_what_is_not_berkeley() -> None:
    syslog = b"<13>Jan  1 00:00:00 host app: text\0more\0and\0more\0"
    assert not events(RSH, (syslog, b""), (b"GET /\r\n", b""), (b"1\0a\0b\0cut", b""), port=514)
    assert not events(
        RLOGIN, (b"\0\0\0\x45abc\0d\0e\0f", b"\0"), (b"\0ann\0root\0no slash\0", b"\0"), port=513
    )
    assert not events(RSH, (b"1022\0ann\0root\0uname -a\0", b"\0"), port=80)


@settings(max_examples=40, deadline=None)
@given(broken(WHOLE))
def test_broken(damaged: tuple[bytes, bytes]) -> None:
    bears(TELNET, WHOLE, damaged, port=23)


@settings(deadline=None)
@given(broken(WHOLE))
def test_bounds(damaged: tuple[bytes, bytes]) -> None:
    streams = streams_of([damaged])
    found = [
        (
            np.full((1, walk.WIDTH), -1, np.int64),
            np.full((1, 2, walk.OPTIONS), -1, np.int64),
            np.zeros((1, walk.LETTERS), np.uint8),
        )
        for _ in range(2)
    ]
    walk.read(streams.data, streams.starts, streams.ends, *found[0])
    with interpreted(walk):
        walk.read(streams.data, streams.starts, streams.ends, *found[1])
    assert all((one == two).all() for one, two in zip(*found, strict=True))
