from __future__ import annotations

import pytest
from broken_talk import Pair, broken, events_of, few, kernels_as_python, survives
from hypothesis import given
from slow_conversations import streams_of

from sensors.capture.protocols import lines, texts
from sensors.capture.protocols.ftp import PROTOCOL as FTP
from sensors.capture.protocols.irc import PROTOCOL as IRC

SESSION: Pair = (
    (
        b"USER alice\r\nPASS hidden\r\nPASV\r\nSTOR dir/pay roll.zip\r\nPORT 192,0,2,1,4,1\r\nRETR /pub/x\r\n"
        b"EPRT |2|2001:db8::1|5282|\r\nEPSV\r\nSIZE x\r\nDELE x\r\nSITE PSWD hidden\r\nQUIT\r\n"
    ),
    (
        b"220-Welcome\r\n220 ftp.example.com\r\n331 Password\r\n230-Hello\r\n  230 of you\r\n230 In\r\n"
        b"227 Entering Passive Mode (198,51,100,7,200,10)\r\n150 Ok\r\n226 Done\r\n200 PORT\r\n"
        b"150 Opening x (1234 bytes).\r\n226 Sent\r\n200 EPRT\r\n229 Extended (|||4099|)\r\n213 77\r\n"
        b"550 No\r\n200 Ok\r\n221 Bye\r\n"
    ),
)
CHAT: Pair = (
    (
        b"PASS hidden\r\nNICK joe\r\nUSER joe1 0 * :Joe Doe\r\nJOIN #ops\r\nPRIVMSG bob :said\r\n"
        b"PRIVMSG bob :\x01DCC SEND pay.zip 3221225985 5000 99\x01\r\n"
    ),
    b":irc.example.net NOTICE * :hi\r\n:irc.example.net 001 joe :Welcome\r\n",
)


def test_commands_with_their_replies() -> None:
    events = events_of(FTP, [SESSION])
    assert [(event["event.action"], event["capture.ftp.reply.code"]) for event in events] == [
        ("USER", 331), ("PASS", 230), ("PASV", 227), ("STOR", 226), ("PORT", 200), ("RETR", 226),
        ("EPRT", 200), ("EPSV", 229), ("SIZE", 213), ("DELE", 550), ("SITE", 200), ("QUIT", 221),
    ]  # fmt: skip
    assert {event["user.name"] for event in events} == {"alice"}
    assert [event["event.outcome"] for event in events].count("failure") == 1
    assert "hidden" not in repr(events)
    assert [SESSION[0][event["at"] :][:4] for event in events][:3] == [b"USER", b"PASS", b"PASV"]


def test_files_and_where_they_go() -> None:
    events = {event["event.action"]: event for event in events_of(FTP, [SESSION])}
    stored, taken = events["STOR"], events["RETR"]
    assert (stored["file.name"], stored["file.path"]) == ("pay roll.zip", "dir/pay roll.zip")
    assert (stored["capture.ftp.transfer"], taken["capture.ftp.transfer"]) == ("upload", "download")
    assert (taken["file.name"], taken["file.size"], events["SIZE"]["file.size"]) == ("x", 1234, 77)
    data = "capture.ftp.data_channel"
    assert [events[name][f"{data}.response_port"] for name in ("PASV", "PORT", "EPRT", "EPSV")] == [
        51210, 1025, 5282, 4099,
    ]  # fmt: skip
    assert [events[name][f"{data}.passive"] for name in ("PASV", "PORT", "EPSV")] == [True, False, True]
    assert [events[name][f"{data}.response_host"] for name in ("PASV", "EPRT")] == [
        "198.51.100.7",
        "2001:db8::1",
    ]


def test_a_server_alone_and_a_client_in_the_midst() -> None:
    (greeted,) = events_of(FTP, [(b"", b"220 FTP ready\r\n")])
    assert (greeted["event.action"], greeted["capture.ftp.banner"]) == ("banner", "FTP ready")
    (begun,) = events_of(FTP, [(b"RETR a\r\n", b"226 Done\r\n")])
    assert (begun["event.action"], begun["capture.ftp.reply.code"]) == ("RETR", 226)


def test_who_chats_where_and_what_is_offered() -> None:
    for pair in (CHAT, (CHAT[0], b"")):
        events = events_of(IRC, [pair])
        assert [event["event.action"] for event in events] == ["NICK", "USER", "JOIN", "DCC"]
        assert {event["capture.irc.nick"] for event in events} == {"joe"}
        assert events[-1]["user.name"] == "joe1"
        assert (events[-1]["file.name"], events[-1]["file.size"]) == ("pay.zip", 99)
        assert "said" not in repr(events)
        assert "hidden" not in repr(events)


@pytest.mark.parametrize(
    "pair",
    [
        (b"EHLO a\r\n", b"220 x ESMTP\r\n"),
        (b"USER alice\r\n", b"+OK pop\r\n"),
        (b"USER alice\r\n", b""),
        (b"", b"220 x ESMTP\r\n"),
        (b"", b""),
    ],
)
def test_others_are_left_alone(pair: Pair) -> None:
    assert not FTP.fits(streams_of([pair])).any()
    assert not IRC.fits(streams_of([pair])).any()


@few
@given(broken([SESSION, CHAT]))
def test_broken_talk(talk: Pair) -> None:
    survives(FTP, talk, SESSION)
    survives(IRC, talk, CHAT)


def test_kernels_stay_within_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels_as_python(monkeypatch, lines, texts)
    mail = b"EHLO a\r\nBDAT 30 LAST\r\nSubject: x\r\n y\r\n\r\nbody\r\n"
    mail += b"DATA\r\nTo: x\r\n\r\nz\r\n.\r\na LOGIN {5}\r\nalice x\r\n"
    for cut in range(len(mail)):
        for dialect in (lines.PLAIN, lines.MESSAGES, lines.LITERALS):
            spoken = lines.lines(streams_of([(mail[:cut], b"220 x\r\n"), (b"A\r\n", b"")]), dialect)
            assert spoken.filter(row=1)["text"].to_list() == ["A"]
