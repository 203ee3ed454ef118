"""Logins to SQL Server, PostgreSQL and MySQL, on messages made here."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_conversations import streams_of

from sensors import schema
from sensors.capture.protocols.databases import mysql, postgresql, tds

PROTOCOLS = (mysql.PROTOCOL, postgresql.PROTOCOL, tds.PROTOCOL)
SECRET = "hunter2hunter2"  # noqa: S105 - it must not be found again


def postgres(code: str = "") -> tuple[bytes, bytes]:
    pairs = b"user\0ada\0database\0pay\0application_name\0psql\0\0"
    start = struct.pack(">II", 8 + len(pairs), 3 << 16) + pairs
    secret = b"p" + struct.pack(">I", 5 + len(SECRET)) + SECRET.encode() + b"\0"
    if code:
        fields = b"SFATAL\0C" + code.encode() + b"\0Mno\0\0"
        told = b"E" + struct.pack(">I", 4 + len(fields)) + fields
    else:
        told = b"R" + struct.pack(">II", 8, 0)
    asked = struct.pack(">II", 8, 80877103)
    return asked + start + secret, b"N" + b"R" + struct.pack(">II4x", 12, 5) + told


def maria(code: int = 0) -> tuple[bytes, bytes]:
    def packet(number: int, body: bytes) -> bytes:
        return len(body).to_bytes(3, "little") + bytes([number]) + body

    greeting = packet(0, b"\x0a8.0.40\0" + bytes(60))
    attributes = b"\x03_os\x05Linux\x0cprogram_name\x05mysql"
    fixed = struct.pack("<IIB23x", 0x8 | 0x200 | 0x8000 | 0x80000, 1 << 24, 45)
    proof = SECRET.encode()
    body = (
        fixed
        + b"ada\0"
        + bytes([len(proof)])
        + proof
        + b"pay\0native\0"
        + bytes([len(attributes)])
        + attributes
    )
    answer = b"\xff" + struct.pack("<H", code) + b"#28000no" if code else b"\0\0\0\2\0\0\0"
    switch = packet(2, b"\xfecaching_sha2_password\0" + bytes(20))
    return packet(1, body), greeting + switch + packet(4, answer)


def server(code: int = 0) -> tuple[bytes, bytes]:
    def packet(kind: int, body: bytes) -> bytes:
        return struct.pack(">BBHHBB", kind, 1, 8 + len(body), 0, 1, 0) + body

    texts = ["LT-ADA", "ada", SECRET, "sqlcmd", "db1", "", "", "", "pay"]
    at, table, values = 94, b"", b""
    for text in texts:
        table += struct.pack("<HH", at, len(text))
        values += text.encode("utf-16-le")
        at += 2 * len(text)
    body = struct.pack("<I", at) + struct.pack("<I", 0x74000004) + bytes(28) + table
    prelogin = b"\0\0\x0b\0\6\x01\0\x11\0\1\xff" + bytes(7)
    login = packet(0x10, body.ljust(94, b"\0") + values)
    token = (
        b"\xaa" + struct.pack("<HI", 8, code) + bytes(4)
        if code
        else b"\xad" + struct.pack("<H", 10) + bytes(10)
    )
    change = b"\xe3" + struct.pack("<H", 3) + bytes(3)
    return packet(0x12, prelogin) + login, packet(4, prelogin) + packet(4, change + token)


def test_postgresql() -> None:
    streams = streams_of([postgres(), postgres("28P01")])
    found = schema.conform(postgresql.PROTOCOL.events(streams).drop("row", "side", "at"))
    assert found["event.outcome"].to_list() == ["success", "failure"]
    assert found["event.reason"].to_list() == [None, "28P01"]
    assert found["user.name"].to_list() == ["ada", "ada"]
    assert found["capture.postgresql.application"].to_list() == ["psql", "psql"]
    assert found["capture.postgresql.database"].to_list() == ["pay", "pay"]


def test_mysql() -> None:
    found = schema.conform(
        mysql.PROTOCOL.events(streams_of([maria(), maria(1045)])).drop("row", "side", "at")
    )
    assert found["event.outcome"].to_list() == ["success", "failure"]
    assert found["event.reason"].to_list() == [None, "1045"]
    event = found.row(0, named=True)
    assert (event["user.name"], event["capture.mysql.database"]) == ("ada", "pay")
    assert (event["capture.mysql.server.version"], event["capture.mysql.application"]) == ("8.0.40", "mysql")
    assert event["capture.mysql.client.system"] == "Linux"


def test_sql_server() -> None:
    streams = streams_of([server(), server(18456)])
    found = tds.PROTOCOL.events(streams)
    assert found["at"].to_list() == [26, 26]
    found = schema.conform(found.drop("row", "side", "at"))
    assert found["event.outcome"].to_list() == ["success", "failure"]
    assert found["event.reason"].to_list() == [None, "18456"]
    event = found.row(0, named=True)
    assert (event["user.name"], event["host.name"]) == ("ada", "LT-ADA")
    assert (event["capture.tds.application"], event["capture.tds.database"]) == ("sqlcmd", "pay")


@pytest.mark.parametrize("number", range(3))
def test_each_fits_its_own_and_keeps_no_secret(number: int) -> None:
    said = streams_of(
        [maria(), postgres(), server(), (b"\0" * 60, b"\0" * 60), (b"\x10\1" * 60, b"J" * 60), (b"", b"")]
    )
    assert PROTOCOLS[number].fits(said).tolist() == [k == number for k in range(6)]
    assert SECRET not in str(PROTOCOLS[number].events(said.only(PROTOCOLS[number].fits(said))).to_dicts())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_broken_logins_do_no_harm(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, 2))
    whole = (maria, postgres, server)[number]()
    sides = []
    for side in whole:
        broken = bytearray(side[: data.draw(st.integers(0, len(side)))])
        for _ in range(data.draw(st.integers(0, 3)) if broken else 0):
            broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
        sides.append(bytes(broken))
    streams = streams_of([(sides[0], sides[1]), whole, (b"", sides[1])])
    PROTOCOLS[number].fits(streams)
    found = PROTOCOLS[number].events(streams).filter(row=1)
    assert (found["user.name"].to_list(), found["event.outcome"].to_list()) == (["ada"], ["success"])
