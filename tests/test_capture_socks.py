from __future__ import annotations

import struct

import numpy as np
import pytest
from broken_talk import Pair, broken, events_of, few, survives
from hypothesis import given
from slow_conversations import streams_of

from sensors.capture.protocols import http, tunnels
from sensors.capture.protocols.proxy_protocol import PROTOCOL as PROXY
from sensors.capture.protocols.socks import PROTOCOL as SOCKS

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
OK = b"HTTP/1.1 204 None\r\n\r\n"
NAMED: Pair = (
    b"\5\2\0\2" + b"\1\5alice\6secret" + b"\5\1\0\3\x0bwww.example" + struct.pack(">H", 8080) + GET,
    b"\5\2" + b"\1\0" + b"\5\0\0\1\xc0\0\2\1" + struct.pack(">H", 1234) + OK,
)
SIXTH: Pair = (
    b"\5\1\0\5\1\0\4" + bytes.fromhex("20010db8000000000000000000000001") + b"\1\xbb" + GET,
    b"\5\0\5\0\0\4" + bytes(16) + b"\0\0" + OK,
)
FOURTH: Pair = b"\4\1\0\x50\xc6\x33\x64\7joe\0" + GET, b"\0\x5a\0\0\0\0\0\0" + OK
FOURTH_NAMED: Pair = b"\4\1\1\xbb\0\0\0\1\0far.example\0" + GET, b"\0\x5b\0\0\0\0\0\0"
REFUSED: Pair = b"\5\1\2\1\3bob\2pw", b"\5\2\1\1"
FIRST_PROXY: Pair = b"PROXY TCP6 2001:db8::9 2001:db8::1 40000 443\r\n" + GET, OK
SECOND_PROXY: Pair = (
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xc0\0\2\7\xc6\x33\x64\1"
    + struct.pack(">HH", 4321, 25)
    + b"\3\0\0"
    + GET,
    OK,
)
LOCAL: Pair = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0" + GET, OK


def test_where_clients_want_to_go() -> None:
    events = events_of(SOCKS, [NAMED, SIXTH, FOURTH, FOURTH_NAMED])
    events.sort(key=lambda event: event["row"])
    assert [(event["url.domain"], event["url.port"]) for event in events] == [
        ("www.example", 8080), ("2001:db8::1", 443), ("198.51.100.7", 80), ("far.example", 443),
    ]  # fmt: skip
    assert [event.get("user.name") for event in events] == ["alice", None, "joe", None]
    assert [event.get("destination.domain") for event in events] == ["www.example", None, None, "far.example"]
    assert [event["event.outcome"] for event in events] == ["success", "success", "success", "failure"]
    assert (events[0]["capture.socks.bound.host"], events[0]["capture.socks.bound.port"]) == (
        "192.0.2.1",
        1234,
    )
    assert [event["capture.socks.version"] for event in events] == ["5", "5", "4", "4"]
    assert "secret" not in repr(events)


def test_a_login_that_was_refused() -> None:
    (event,) = events_of(SOCKS, [REFUSED])
    assert (event["user.name"], event["event.action"]) == ("bob", "greeting")


def test_who_is_behind_a_load_balancer() -> None:
    events = events_of(PROXY, [FIRST_PROXY, SECOND_PROXY, LOCAL])
    assert [event.get("network.forwarded_ip") for event in events] == ["2001:db8::9", "192.0.2.7", None]
    assert [event.get("capture.proxy_protocol.port") for event in events] == [40000, 4321, None]
    assert [event["capture.proxy_protocol.version"] for event in events] == ["1", "2", "2"]


@pytest.mark.parametrize("pair", [NAMED, SIXTH, FOURTH, FIRST_PROXY, SECOND_PROXY, LOCAL])
def test_what_is_spoken_inside(pair: Pair) -> None:
    inside = tunnels.inside(streams_of([pair]))
    assert inside.data[inside.starts[0, 0] : inside.ends[0, 0]].tobytes() == GET
    assert http.PROTOCOLS[0].fits(inside).tolist() == [True]


@pytest.mark.parametrize("pair", [FOURTH_NAMED, REFUSED, (GET, OK), (b"", b""), (b"\5", b"\5")])
def test_what_is_no_tunnel_stays(pair: Pair) -> None:
    streams = streams_of([pair])
    assert np.array_equal(tunnels.inside(streams).starts, streams.starts)


@pytest.mark.parametrize("talk", [b"\4\1", b"\5\1\0", b"\5\xff" + bytes(300), b"\4\1\0\x50" + bytes(90), GET])
def test_others_are_left_alone(talk: bytes) -> None:
    streams = streams_of([(talk, b""), (talk, GET), (b"", talk)])
    assert not SOCKS.fits(streams).any()
    assert not PROXY.fits(streams).any()


@few
@given(broken([NAMED, SIXTH, FOURTH, FOURTH_NAMED, FIRST_PROXY, SECOND_PROXY]))
def test_broken_talk(talk: Pair) -> None:
    survives(SOCKS, talk, NAMED)
    survives(PROXY, talk, SECOND_PROXY)
    inside = tunnels.inside(streams_of([talk, NAMED]))
    assert (inside.starts <= inside.ends).all()
