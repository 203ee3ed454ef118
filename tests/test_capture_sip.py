from __future__ import annotations

import pytest
from broken_talk import Pair, broken, events_of, few, survives
from hypothesis import given
from slow_conversations import datagrams_of, streams_of

from sensors.capture.protocols.sip import PROTOCOLS

TCP, UDP = PROTOCOLS
REGISTER = (
    b"REGISTER sip:example.com SIP/2.0\r\nFrom: <sip:alice:hidden@example.com>;tag=1\r\n"
    b"t: sip:alice@example.com\r\n"
    b"Call-ID: 1@pc\r\nCSeq: %d REGISTER\r\nUser-Agent: Phone 1\r\n%bContent-Length: 0\r\n\r\n"
)
PROOF = b'Authorization: Digest username="al", response="hidden"\r\n'
ANSWER = (
    b"SIP/2.0 %d Said\r\nFrom: <sip:alice@example.com>;tag=1\r\nCall-ID: 1@pc\r\nCSeq: %d REGISTER\r\n\r\n"
)
TALK: Pair = (
    REGISTER % (1, b"") + REGISTER % (2, PROOF),
    ANSWER % (100, 1) + ANSWER % (401, 1) + ANSWER % (200, 2),
)


def test_requests_with_the_last_answer_to_them() -> None:
    first, second = events_of(TCP, [TALK])
    assert [event["capture.sip.status_code"] for event in (first, second)] == ["401", "200"]
    assert [event["event.outcome"] for event in (first, second)] == ["failure", "success"]
    assert [event["user.name"] for event in (first, second)] == ["alice", "al"]
    assert (first["user.domain"], first["user.target.name"]) == ("example.com", "alice")
    assert (first["event.action"], first["user_agent.original"]) == ("REGISTER", "Phone 1")
    assert "hidden" not in repr((first, second))


def test_the_same_in_datagrams() -> None:
    rows = datagrams_of(
        [
            (0, 0, REGISTER % (1, b"")),
            (0, 1, ANSWER % (403, 1)),
            (1, 0, b"\r\n\r\n"),
            (2, 0, REGISTER % (1, b"")),
        ],
        [(5060, 5060)] * 3,
    )
    fits = UDP.fits(rows)
    assert fits.tolist() == [True, True, False, True]
    events = UDP.events(rows.only(fits))
    assert events.select("row", "event.outcome").rows() == [(0, "failure"), (2, None)]


@pytest.mark.parametrize(
    "talk",
    [
        b"OPTIONS * HTTP/1.1\r\n\r\n",
        b"OPTIONS rtsp://a RTSP/1.0\r\n\r\n",
        b"NOTIFY * HTTP/1.1\r\n\r\n",
        b"INVITE",
        b"",
    ],
)
def test_others_are_left_alone(talk: bytes) -> None:
    assert not TCP.fits(streams_of([(talk, b""), (b"", talk)])).any()
    assert not UDP.fits(datagrams_of([(0, 0, talk)])).any()


@few
@given(broken([TALK]))
def test_broken_talk(talk: Pair) -> None:
    survives(TCP, talk, TALK)
