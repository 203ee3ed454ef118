from __future__ import annotations

import base64

import pytest
from broken_talk import Pair, broken, events_of, few, survives
from hypothesis import given
from slow_conversations import streams_of

from sensors.capture.protocols.mail import PROTOCOLS

SMTP, IMAP, POP = PROTOCOLS


def b64(text: str) -> bytes:
    return base64.b64encode(text.encode())


HEAD = (
    b"Received: from b by c\r\nReceived: from a\r\n by b\r\nFrom: Alice <alice@example.com>\r\n"
    b'To: "B, ob" <bob@example.org>,\r\n\tcarl@example.org\r\nSubject: =?utf-8?B?SGVsbG8gV8O2cmxk?=\r\n'
    b"Message-ID: <1@example.com>\r\nX-Mailer: Post 1.0\r\n\r\n"
)
CHUNK = b"Subject: second\r\n\r\nMAIL FROM:<no@mail>\r\n"
TWO: Pair = (
    b"EHLO pc.example.com\r\nAUTH PLAIN "
    + b64("\0alice\0hidden")
    + b"\r\nMAIL FROM:<alice@example.com> SIZE=9\r\n"
    b"RCPT TO:<bob@example.org>\r\nRCPT TO:<carl@example.org>\r\nDATA\r\n"
    + HEAD
    + b"QUIT\r\nMAIL FROM:<x>\r\n.\r\n"
    b"MAIL FROM:<>\r\nRCPT TO:<dora@example.org>\r\nBDAT %d LAST\r\n%b" % (len(CHUNK), CHUNK) + b"QUIT\r\n",
    b"220 mail.example.net ESMTP\r\n250-mail.example.net\r\n250-AUTH PLAIN\r\n250 SIZE\r\n235 in\r\n"
    + b"250 ok\r\n" * 2
    + b"550 nobody\r\n354 go\r\n250 queued\r\n250 ok\r\n250 ok\r\n452 full\r\n221 bye\r\n",
)
LOGIN: Pair = (
    b"ehlo [192.0.2.1]\r\nauth login\r\n"
    + b64("bob@example.com")
    + b"\r\n"
    + b64("hidden")
    + b"\r\nQUIT\r\n",
    b"220 mx ESMTP\r\n250 mx\r\n334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n535 no\r\n221 bye\r\n",
)
TLS: Pair = (
    b"EHLO pc\r\nSTARTTLS\r\n\x16\x03\x01\x02\n",
    b"220 mx ESMTP\r\n250 STARTTLS\r\n220 go\r\n\x16\x03\x03\n",
)
MAILBOX: Pair = (
    b'a1 LOGIN {5}\r\nalice {6}\r\nhidden\r\na2 LOGIN "ca\\"rl" "hidden"\r\na3 AUTHENTICATE PLAIN\r\n'
    + b64("\0bob\0hidden")
    + b"\r\na4 NOOP\r\n",
    b"* OK imap.example.com ready\r\n+ go\r\n+ go\r\na1 NO no\r\na2 OK in\r\n+ \r\na3 OK in\r\n",
)
POPPED: Pair = (
    b"CAPA\r\nUSER alice\r\nPASS hidden\r\nAPOP joe hidden\r\nAUTH XOAUTH2 "
    + b64("user=eve@example.com\1auth=Bearer hidden\1\1")
    + b"\r\n",
    b"+OK pop.example.com\r\n+OK list\r\nUSER\r\n.\r\n+OK\r\n-ERR no\r\n+OK in\r\n-ERR no\r\n",
)


def test_mails_of_one_session() -> None:
    first, second = events_of(SMTP, [TWO])
    wanted = {
        "event.action": "mail",
        "event.outcome": "success",
        "user.name": "alice",
        "capture.smtp.transaction": 1,
        "capture.smtp.helo": "pc.example.com",
        "source.domain": "pc.example.com",
        "destination.domain": "mail.example.net",
        "email.sender.address": "alice@example.com",
        "capture.smtp.rcpt_to": ["bob@example.org", "carl@example.org"],
        "email.from.address": ["alice@example.com"],
        "email.to.address": ["bob@example.org", "carl@example.org"],
        "email.subject": "Hello Wörld",
        "email.message_id": "1@example.com",
        "user_agent.original": "Post 1.0",
        "capture.smtp.first_received": "from a by b",
        "capture.smtp.last_reply": "250 queued",
        "capture.smtp.auth": "plain",
        "tls.established": False,
    }
    assert {name: first.get(name) for name in wanted} == wanted
    assert (second["email.subject"], second["capture.smtp.rcpt_to"]) == ("second", ["dora@example.org"])
    assert (second["event.outcome"], second["capture.smtp.transaction"]) == ("failure", 2)
    assert TWO[0][second["at"] :].startswith(b"MAIL FROM:<>")
    assert "hidden" not in repr((first, second))


def test_sessions_without_mails() -> None:
    (event,) = events_of(SMTP, [LOGIN])
    assert (event["event.action"], event["user.name"], event["event.outcome"]) == (
        "login", "bob@example.com", "failure",
    )  # fmt: skip
    assert event["capture.smtp.helo"] == "[192.0.2.1]"
    assert b64("hidden").decode() not in repr(event)
    (event,) = events_of(SMTP, [TLS])
    assert (event["event.action"], event["tls.established"]) == ("session", True)
    (event,) = events_of(SMTP, [(b"", b"220 mx.example.net ESMTP\r\n")])
    assert event["destination.domain"] == "mx.example.net"


@pytest.mark.parametrize(
    "subject",
    [b"=?\xfftf-8?B?eg==?=", b"=?utf-16?B?ANg=?=", b"=?none?Q?a?=", b"=?utf-7?Q?+2AA-?=", b"=?utf-8?B?z?="],
)
def test_words_that_are_encoded_wrongly(subject: bytes) -> None:
    client = b"HELO a\r\nMAIL FROM:<a@example.com>\r\nDATA\r\nSubject: " + subject + b"\r\n\r\n.\r\n"
    (event,) = events_of(SMTP, [(client, b"220 mx\r\n250 hi\r\n250 ok\r\n354 go\r\n250 ok\r\n")])
    assert event["email.subject"].encode()


def test_a_server_that_would_not_have_the_mail() -> None:
    client = b"HELO a\r\nMAIL FROM:<a@example.com>\r\nDATA\r\nRSET\r\nMAIL FROM:<b@example.com>\r\n"
    server = b"220 mx\r\n250 hi\r\n250 ok\r\n503 no\r\n250 ok\r\n250 ok\r\n"
    events = events_of(SMTP, [(client, server)])
    assert [event["email.sender.address"] for event in events] == ["a@example.com", "b@example.com"]
    assert [event["event.outcome"] for event in events] == ["failure", "success"]


def test_logins_to_mailboxes() -> None:
    events = events_of(IMAP, [MAILBOX])
    assert [(event["user.name"], event["event.outcome"]) for event in events] == [
        ("alice", "failure"), ('ca"rl', "success"), ("bob", "success"),
    ]  # fmt: skip
    assert {event["destination.domain"] for event in events} == {"imap.example.com"}
    logins = events_of(POP, [POPPED])
    assert [(event["user.name"], event["event.outcome"]) for event in logins] == [
        ("alice", "failure"), ("joe", "success"), ("eve@example.com", "failure"),
    ]  # fmt: skip
    assert "hidden" not in repr((events, logins))


def test_mailboxes_behind_tls() -> None:
    (imap,) = events_of(IMAP, [(b"1 STARTTLS\r\n\x16\x03\x01", b"* OK hi\r\n1 OK go\r\n\x16")])
    (pop,) = events_of(POP, [(b"STLS\r\n\x16\x03\x01", b"+OK hi\r\n+OK go\r\n\x16")])
    assert [event["tls.established"] for event in (imap, pop)] == [True, True]


@pytest.mark.parametrize(
    "pair",
    [
        (b"USER a\r\n", b"220 ftp\r\n"),
        (b"*1\r\n$4\r\nPING\r\n", b"+OK\r\n"),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
        (b"", b"220 FTP\r\n"),
        (b"", b""),
    ],
)
def test_others_are_left_alone(pair: Pair) -> None:
    assert not any(one.fits(streams_of([pair])).any() for one in PROTOCOLS)


@few
@given(broken([TWO, LOGIN, TLS, MAILBOX, POPPED]))
def test_broken_talk(talk: Pair) -> None:
    survives(SMTP, talk, TWO)
    survives(IMAP, talk, MAILBOX)
    survives(POP, talk, POPPED)
