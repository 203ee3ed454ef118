"""Captures made to do harm: results that do not fit, joins that explode, secrets, holes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import packets as make
import polars as pl
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from slow_conversations import datagrams_of, streams_of

from sensors.capture import SENSOR
from sensors.capture.conversations import CLIENT, HEAD, SERVER
from sensors.capture.protocols import http, protocols
from sensors.capture.protocols.http import messages
from sensors.schema import conform
from sensors.sensor import Source

Make = Callable[..., Source]
ENDS = {"src": "192.0.2.1", "dst": "198.51.100.2"}
ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")


def test_the_shortest_requests_fill_their_results_and_no_more() -> None:
    shortest = b"A HTTP/1.1\n\n"
    many = HEAD // len(shortest)
    flows = [shortest * count for count in (many, many, 100, many)]
    found = messages.found(streams_of([(text, b"") for text in flows]))
    assert len(found.numbers) == len(found.spans) <= 3 * many + 100
    assert len(messages.found(streams_of([(shortest * many, b"HTTP/1.1 200 OK\n\n" * 900)])).numbers) > 0


def test_answers_of_wireguard_are_not_multiplied_by_questions() -> None:
    (wireguard,) = (one for one in protocols() if one.name == "wireguard")
    index = b"\1\2\3\4"
    asked = b"\1\0\0\0" + index + bytes(140)
    answered = b"\2\0\0\0" + b"\5\6\7\x08" + index + bytes(80)
    rows = [(0, CLIENT, asked)] * 3000 + [(0, SERVER, answered)] * 3000
    given = datagrams_of(rows, [(40000, 53)])
    mine = wireguard.fits(given)  # type: ignore[arg-type]
    assert wireguard.events(given.only(mine)).height <= len(rows)  # type: ignore[arg-type]


def test_a_secret_without_a_scheme_is_not_kept() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a.example\r\nAuthorization: "
    given = streams_of(
        [
            (head + text + b"\r\n\r\n", b"")
            for text in (b"eyJhbGciOi.secret.signature", b"Bearer secret", b"a/b c")
        ]
    )
    (reader,) = (one for one in http.PROTOCOLS if one.name == "http")
    found = reader.events(given)
    assert found["capture.http.authorization"].to_list() == ["other", "bearer", "other"]
    assert "secret" not in str(found.to_dicts())


def conversation(source: Make, said: list[tuple[bool, bytes]], name: str = "x.pcap") -> pl.DataFrame:
    """The events of one TCP conversation, beginning with its SYN."""
    raw, at = [], {True: 1001, False: 5001}
    steps: list[tuple[bool, str, bytes]] = [
        (True, "S", b""),
        (False, "SA", b""),
        *((o, "PA", t) for o, t in said),
    ]
    for number, (ours, flags, text) in enumerate(steps):
        ends = ENDS if ours else {"src": ENDS["dst"], "dst": ENDS["src"]}
        ports = {"sport": 40000, "dport": 8080} if ours else {"sport": 8080, "dport": 40000}
        sequence = at[ours] - ("S" in flags)
        layer = TCP(**ports, flags=flags, seq=sequence, ack=at[not ours])
        raw.append((1000.0 + number, bytes(ETHER / IP(**ends) / layer / text)))
        at[ours] += len(text)
    made = source(make.pcap(raw), name)
    frames = [conform(frame) for frame in SENSOR.read(made)]
    assert made.unread == []
    return pl.concat(frames, how="diagonal")


def hello() -> bytes:
    """A client hello that names a.example."""
    name = b"a.example"
    server = struct.pack("!HBH", len(name) + 3, 0, len(name)) + name
    extensions = struct.pack("!HH", 0, len(server)) + server
    body = (
        b"\3\3"
        + bytes(32)
        + b"\0"
        + b"\0\2\x13\1"
        + b"\1\0"
        + struct.pack("!H", len(extensions))
        + extensions
    )
    whole = b"\1" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\3\1" + struct.pack("!H", len(whole)) + whole


def test_tls_behind_connect_is_told_once_and_from_its_own_packet(source: Make) -> None:
    found = conversation(
        source,
        [
            (True, b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"),
            (False, b"HTTP/1.1 200 OK\r\n\r\n"),
            (True, hello()),
        ],
    )
    said = found.filter(pl.col("event.dataset") == "capture.tls")
    assert said.select("tls.client.server_name", "molehunt.frame.number").rows() == [("a.example", 5)]


def test_a_conversation_with_a_silent_side_has_its_own_time(source: Make) -> None:
    found: Any = conversation(source, [(True, b"SSH-2.0-OpenSSH_9.6\r\n")])
    (told,) = found.filter(pl.col("event.dataset") == "capture.ssh").to_dicts()
    assert told["molehunt.frame.number"] in (1, 3)
    assert 1000 <= told["@timestamp"].timestamp() <= 1003
