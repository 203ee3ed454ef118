from __future__ import annotations

import base64
import gzip
from typing import Any

import numpy as np
import pytest
from broken_talk import Pair, broken, events_of, few, kernels_as_python, survives
from hypothesis import given
from slow_conversations import streams_of

from sensors.capture.conversations import HEAD
from sensors.capture.protocols import http, texts, tunnels
from sensors.capture.protocols.http import bodies, messages, start_lines

FIRST, SECOND = http.PROTOCOLS
PAGE = b"<html><head>\n<TITLE lang='en'>Pi&amp;KVM\n  login</title></head></html>"
KEEP_ALIVE: Pair = (
    b"GET /a%20b?x=1 HTTP/1.1\r\nHOST: www.example.com:8080\r\nuser-agent:\tcurl/8.0\r\n"
    b"X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nAuthorization: Basic "
    + base64.b64encode(b"alice:secret")
    + b"\r\nAccept: a,\r\n b\r\nReferer: http://x.example/,\r\n  more\r\n\r\n"
    b"POST /up HTTP/1.1\nHost: www.example.com\nContent-Type: Text/Plain; a=b\nContent-Length: 5\n\nhello"
    b"HEAD /h HTTP/1.0\r\n\r\nGET /chunks HTTP/1.1\r\nHost: b.example\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html; a=b\r\n"
    b"Content-Length: %d\r\n\r\n%b"
    % (len(PAGE), PAGE)
    + b'HTTP/1.1 401 No way\r\nWWW-Authenticate: Basic realm="the box"\r\nContent-Length: 2\r\n\r\nno'
    b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
    b"5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
)
CONNECT: Pair = (
    b"CONNECT far.example:443 HTTP/1.1\r\nProxy-Authorization: basic Ym9iOnB3\n\nGET /in HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
)


def one(pair: Pair) -> dict[str, Any]:
    (event,) = events_of(FIRST, [pair])
    return event


def answered(head: bytes, body: bytes = b"") -> Pair:
    return b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body


def test_requests_of_one_connection_with_their_responses() -> None:
    events = events_of(FIRST, [KEEP_ALIVE])
    assert [event["url.original"] for event in events] == ["/a%20b?x=1", "/up", "/h", "/chunks"]
    assert [event["http.response.status_code"] for event in events] == [200, 401, 200, 200]
    assert [event["http.response.body.bytes"] for event in events] == [len(PAGE), 2, 0, 15]
    assert [event["http.request.body.bytes"] for event in events] == [0, 5, 0, 0]
    assert [event["event.outcome"] for event in events] == ["success", "failure", "success", "success"]
    assert [event["capture.http.transaction"] for event in events] == [1, 2, 3, 4]
    assert {event["capture.http.paired"] for event in events} == {4}
    assert [event["http.version"] for event in events] == ["1.1", "1.1", "1.0", "1.1"]
    assert [KEEP_ALIVE[0][event["at"] :][:4] for event in events] == [b"GET ", b"POST", b"HEAD", b"GET "]


def test_what_a_request_and_its_response_say() -> None:
    event = events_of(FIRST, [KEEP_ALIVE])[0]
    wanted = {
        "event.dataset": "capture.http",
        "event.category": ["network", "web"],
        "event.action": "GET",
        "network.protocol": "http",
        "http.request.method": "GET",
        "http.request.referrer": "http://x.example/, more",
        "http.response.mime_type": "text/html",
        "url.full": "http://www.example.com:8080/a%20b?x=1",
        "url.domain": "www.example.com",
        "url.port": 8080,
        "url.path": "/a%20b",
        "url.query": "x=1",
        "destination.domain": "www.example.com",
        "user_agent.original": "curl/8.0",
        "user.name": "alice",
        "source.user.name": "alice",
        "network.forwarded_ip": "192.0.2.1",
        "capture.http.title": "Pi&KVM login",
        "capture.http.server": "nginx",
        "capture.http.status_phrase": "OK",
        "capture.http.authorization": "basic",
    }
    assert {name: event.get(name) for name in wanted} == wanted
    other = events_of(FIRST, [KEEP_ALIVE])[1]
    assert (other["http.request.mime_type"], other["capture.http.realm"]) == ("text/plain", "the box")


def test_secrets_are_not_kept() -> None:
    request = (
        b"GET http://u:hidden@h.example/ HTTP/1.1\r\nCookie: hidden\r\nReferer: http://u:hidden@x/\r\n"
        b'Authorization: Digest username="eve", response="hidden"\r\n\r\n'
    )
    event = one((request, b"HTTP/1.1 302 Go\r\nSet-Cookie: hidden\r\nLocation: ftp://a:hidden@y/\r\n\r\n"))
    assert (event["user.name"], event["url.original"]) == ("eve", "http://u@h.example/")
    assert "hidden" not in repr(event)
    assert "secret" not in repr(events_of(FIRST, [KEEP_ALIVE]))


def test_a_tunnel_is_named_and_not_looked_into() -> None:
    event = one(CONNECT)
    assert (event["url.domain"], event["url.port"], event["destination.domain"]) == (
        "far.example", 443, "far.example",
    )  # fmt: skip
    assert (event["user.name"], event["capture.http.proxy_authorization"]) == ("bob", "basic")
    inside = tunnels.inside(streams_of([CONNECT, KEEP_ALIVE]))
    inner = FIRST.events(inside.only(np.array([0]))).to_dicts()
    assert [each["url.original"] for each in inner] == ["/in"]
    assert (inside.starts[1] == streams_of([CONNECT, KEEP_ALIVE]).starts[1]).all()


def test_web_sockets_and_what_follows_them() -> None:
    event = one((
        b"GET /chat HTTP/1.1\r\nHost: a.example\r\nUpgrade: WebSocket\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: WebSocket\r\n\r\n\x81\x05hello",
    ))  # fmt: skip
    assert (event["network.application"], event["http.response.status_code"]) == ("websocket", 101)


def test_pages_that_came_packed_have_titles() -> None:
    packed = gzip.compress(PAGE)
    head = b"Content-Type: text/html\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n" % len(packed)
    assert one(answered(head, packed))["capture.http.title"] == "Pi&KVM login"
    assert "capture.http.title" not in one(answered(head, packed[:9]))


@pytest.mark.parametrize(
    ("head", "body", "size"),
    [
        (b"", b"until the end", 13),
        (b"Content-Length: 100\r\n", b"short", 5),
        (b"Content-Length: 99999999999999999999999\r\n", b"lies", 4),
        (b"Content-Length: -1\r\n", b"lies", 4),
        (b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffff\r\nx", 0),
        (b"Transfer-Encoding: chunked\r\n", b"9\r\nshort", 5),
        (b"Content-Length: 50000\r\n", b"x" * HEAD, 50000),
        (b"", b"x" * HEAD, None),
    ],
)
def test_bodies_are_as_long_as_was_said_or_seen(head: bytes, body: bytes, size: int | None) -> None:
    pair = answered(head, body)
    assert one((pair[0], pair[1][:HEAD])).get("http.response.body.bytes") == size


def test_one_side_alone() -> None:
    request, response = answered(b"Content-Length: 0\r\n")
    assert "http.response.status_code" not in one((request, b""))
    alone = one((b"", response))
    assert (alone["side"], alone["event.action"], alone["http.response.status_code"]) == (1, "response", 200)


def test_http_before_there_were_versions() -> None:
    event = one((b"GET /old.html\r\n", b"<title>Old</title>"))
    assert (event["http.version"], event["capture.http.title"]) == ("0.9", "Old")
    assert "http.response.status_code" not in event


def test_what_is_no_utf8_is_marked() -> None:
    event = one((b"GET /\xff\xc3\xa9 HTTP/1.1\r\nHost: a.example\r\nUser-Agent: \xed\xa0\x80\r\n\r\n", b""))
    assert (event["url.original"], event["user_agent.original"]) == ("/\ufffdé", "\ufffd" * 3)


@pytest.mark.parametrize(
    "talk",
    [
        b"OPTIONS rtsp://a.example/ RTSP/1.0\r\n\r\n",
        b"OPTIONS sip:a@example.com SIP/2.0\r\n\r\n",
        b"GET",
        b"GET / HTTP/1.1",
        b"EHLO a.example\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"GET key\r\n",
        b"",
    ],
)
def test_others_are_left_alone(talk: bytes) -> None:
    assert not FIRST.fits(streams_of([(talk, b""), (b"", talk)])).any()


def test_http2_is_known_by_its_preface() -> None:
    pair = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", b""
    assert [event["http.version"] for event in events_of(SECOND, [pair])] == ["2"]
    assert not events_of(FIRST, [pair])


def test_many_requests_go_on_in_another_block() -> None:
    many = [(b"GET /%d HTTP/1.1\r\n\r\n" % k * 300, b"HTTP/1.1 204\r\n\r\n" * 300) for k in range(40)]
    events = events_of(FIRST, many)
    assert len(events) == 40 * 300
    assert {event["capture.http.paired"] for event in events} == {300}
    assert {event["url.original"] for event in events} == {f"/{k}" for k in range(40)}


@few
@given(broken([KEEP_ALIVE, CONNECT, answered(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n")]))
def test_broken_talk(talk: Pair) -> None:
    survives(FIRST, talk, KEEP_ALIVE)


def test_kernels_stay_within_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels_as_python(monkeypatch, messages, bodies, start_lines, texts)
    for side in range(2):
        for cut in range(0, len(KEEP_ALIVE[side]), 7):
            pair = [KEEP_ALIVE[0], KEEP_ALIVE[1]]
            pair[side] = pair[side][:cut]
            messages.found(streams_of([(pair[0], pair[1])]))
    assert len(messages.found(streams_of([KEEP_ALIVE, CONNECT])).numbers) == 11
