"""VPNs and remote-control tools by their own bytes: what is named, what is not, and what hostile bytes do."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib.ikev2 import IKEv2, IKEv2_Proposal, IKEv2_SA, IKEv2_Transform
from slow_conversations import datagrams_of, streams_of

from sensors.capture.conversations import OverTcp, OverUdp
from sensors.capture.protocols import fields, remote_control, vpn
from sensors.capture.protocols.remote_control import rustdesk
from sensors.capture.protocols.vpn import ike, l2tp
from sensors.schema import dtype

Array = np.ndarray[Any, Any]
READERS = (*vpn.PROTOCOLS, *remote_control.PROTOCOLS)
TIME = struct.pack(">I", 1_700_000_000)
SID, PEER = b"\x11\x22\x33\x44\x55\x66\x77\x88", b"\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8"


def over_udp(name: str) -> OverUdp:
    return next(one for one in READERS if isinstance(one, OverUdp) and one.name == name)


def over_tcp(name: str) -> OverTcp:
    return next(one for one in READERS if isinstance(one, OverTcp) and one.name == name)


def udp(name: str, rows: list[tuple[int, int, bytes]], ports: tuple[int, int] = (0, 0)) -> pl.DataFrame:
    reader = over_udp(name)
    found = datagrams_of(rows, [ports] * (max(row[0] for row in rows) + 1))
    return reader.events(found.only(np.flatnonzero(reader.fits(found))))


def tcp(name: str, *pairs: tuple[bytes, bytes]) -> pl.DataFrame:
    reader = over_tcp(name)
    found = streams_of(list(pairs))
    return reader.events(found.only(np.flatnonzero(reader.fits(found))))


# --- messages ---


def wireguard(kind: int, size: int, first: int, second: int = 0) -> bytes:
    body = bytes([kind, 0, 0, 0]) + struct.pack("<II", first, second)
    return body + b"\x5a" * (size - len(body) - 16) + bytes(16)


def wireguard_data(receiver: int, counter: int, head: int = 0, reserved: bytes = bytes(3)) -> bytes:
    return bytes([4 + head]) + reserved + struct.pack("<IQ", receiver, counter) + b"\x77" * 32


def openvpn(code: int, digest: int | None, *, answers: bool = False) -> bytes:
    stamp = struct.pack(">I", 1) + TIME
    rest = (b"\x01" + bytes(4) + PEER if answers else b"\0") + bytes(4)
    if digest is None:
        return bytes([code << 3]) + SID + stamp + b"\x99" * 32 + b"\x33" * len(rest)
    front = b"\x66" * digest + stamp if digest else b""
    return bytes([code << 3]) + SID + front + rest


def ike_1(identity: bytes = b"") -> bytes:
    attributes = struct.pack(">HHHHHHHH", 0x8001, 7, 0x8002, 2, 0x8003, 65001, 0x8004, 14)
    transform = struct.pack(">BBHBBH", 0, 0, 8 + len(attributes), 1, 1, 0) + attributes
    proposal = struct.pack(">BBHBBBB", 0, 0, 8 + len(transform), 1, 1, 0, 1) + transform
    offer = struct.pack(">II", 1, 1) + proposal
    named = struct.pack(">BBHBBH", 13, 0, 8 + len(identity), 11, 17, 500) + identity
    vendor = struct.pack(">BBH", 0, 0, 20) + bytes.fromhex("afcad71368a1f1c96b8696fc77570100")
    body = struct.pack(">BBH", 5, 0, 4 + len(offer)) + offer + named + vendor
    return SID + bytes(8) + struct.pack(">BBBBII", 1, 0x10, 4, 0, 0, 28 + len(body)) + body


def ike_2(answer: bytes = bytes(8)) -> bytes:
    offer = IKEv2_SA(
        prop=IKEv2_Proposal(
            trans_nb=2,
            trans=IKEv2_Transform(transform_type=1, transform_id=20)
            / IKEv2_Transform(transform_type=4, transform_id=31),
        )
    )
    return bytes(
        IKEv2(init_SPI=SID, resp_SPI=answer, next_payload=33, exch_type=34, flags=0x20 if any(answer) else 8)
        / offer
    )


def avp(kind: int, value: bytes) -> bytes:
    return struct.pack(">HHH", 0x8000 | 6 + len(value), 0, kind) + value


def l2tp_request(kind: int = 1) -> bytes:
    body = avp(0, struct.pack(">H", kind)) + avp(7, b"lac.example") + avp(8, b"Example Networks")
    return struct.pack(">HHHHHH", 0xC802, 12 + len(body), 0, 0, 0, 0) + body


def pptp(kind: int) -> bytes:
    head = struct.pack(">HHIHHHBBIIHH", 156, 1, 0x1A2B3C4D, kind, 0, 0x100, 1, 0, 1, 1, 0, 0)
    return head + b"laptop.example".ljust(64, b"\0") + b"Example".ljust(64, b"\0")


def zerotier() -> bytes:
    me = bytes.fromhex("89e92ceee5")
    head = SID + bytes.fromhex("0102030405") + me + b"\0" + b"\x44" * 8 + b"\x01"
    return head + bytes([12, 1, 14]) + struct.pack(">HQ", 2, 1_700_000_000_000) + me + b"\0" + b"\x21" * 64


def member(number: int, *parts: tuple[int, bytes]) -> bytes:
    body = b"".join(bytes([one << 3 | 2, len(text)]) + text for one, text in parts)
    tag = bytes([number << 3 | 2]) if number < 16 else bytes([(number << 3 | 2) & 0x7F | 0x80, number >> 4])
    return tag + bytes([len(body)]) + body


def framed(message: bytes) -> bytes:
    return (
        bytes([len(message) << 2]) + message
        if len(message) < 64
        else struct.pack("<H", len(message) << 2 | 1) + message
    )


def teamviewer(command: int, body: bytes) -> bytes:
    return struct.pack("<2sBH", b"\x17\x24", command, len(body)) + body


def teamviewer_udp(body: bytes) -> bytes:
    return bytes(10) + b"\x03\x17\x24\x47" + struct.pack("<H", len(body)) + body


def anyconnect(kind: int = 1) -> bytes:
    hello = bytes([kind]) + b"\0\0\x30" + b"\0\0" + bytes(3) + b"\0\0\x30" + b"\x01\0" + b"\x42" * 46
    return b"\x16\x01\0" + bytes(8) + struct.pack(">H", len(hello)) + hello


ASK, ANSWER = wireguard(1, 148, 0xA1B2C3D4), wireguard(2, 92, 0x01020304, 0xA1B2C3D4)
DISCO = b"TS\xf0\x9f\x92\xac" + b"\x42" * 32 + b"\x24" * 24 + b"\x11" * 30
TINC = (b"0 alpha 17\n1 94 64 0 0 00A1B2C3\n", b"0 beta 17.7\n")
PING = member(22, (1, b"pong"), (3, b"123456789"), (4, b"jdoe"), (5, b"desk-7"), (6, b"Windows"))
DATAGRAMS = {
    "wireguard": [(0, 0, ASK), (0, 1, ANSWER)],
    "openvpn": [(0, 0, openvpn(7, 20)), (0, 1, openvpn(8, 20, answers=True))],
    "ike": [(0, 0, ike_1(b"staff")), (1, 0, ike_2()), (1, 1, ike_2(PEER)), (2, 0, bytes(4) + ike_2())],
    "l2tp": [(0, 0, l2tp_request()), (0, 1, l2tp_request(2))],
    "softether": [(0, 0, b"A"), (0, 1, b"IP=192.0.2.7,PORT=51122")],
    "tailscale": [(0, 0, DISCO)],
    "zerotier": [(0, 0, zerotier())],
    "anyconnect": [(0, 0, anyconnect())],
    "rustdesk": [(0, 0, member(6, (1, b"123456789"))), (1, 0, PING)],
    "teamviewer": [(0, 0, teamviewer_udp(b"\x01" * 80)), (0, 1, teamviewer_udp(b"\x02" * 448))],
}
STREAMS = {
    "openvpn": (b"\0\x2a" + openvpn(7, 20), b"\0\x36" + openvpn(8, 20, answers=True)),
    "ike": (b"IKETCP" + struct.pack(">H", len(ike_2()) + 6) + bytes(4) + ike_2(), b""),
    "pptp": (pptp(1), pptp(2)),
    "tinc": TINC,
    "sstp": (
        b"SSTP_DUPLEX_POST /sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/ HTTP/1.1\r\n",
        b"HTTP/1.1 200\r\n",
    ),
    "softether": (b"POST /vpnsvc/connect.cgi HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n"),
    "rustdesk": (
        framed(member(18, (1, b"123456789"), (2, b"0" * 36))),
        framed(member(25, (1, b"\x07" * 96))),
    ),
    "teamviewer": (teamviewer(0x0A, b"\0" * 32) + teamviewer(0x3C, b"\1"), b""),
    "radmin": (bytes.fromhex("01000000010000000808"), bytes.fromhex("0100000025") + bytes(41)),
    "nomachine": (b"NXSH-8.14.2\n", b"NXD-8.11.3\n"),
    "citrix": (b"\x7f\x7fICA\0\x01", b"\x7f\x7fICA\0"),
    "vmware_console": (b"", b"220 VMware Authentication Daemon Version 1.10: SSL Required"),
    "shared_input": (b"\0\0\0\x17Barrier\0\x01\0\x06\0\0\0\x08laptop-7", b"\0\0\0\x0bBarrier\0\x01\0\x06"),
    "ultrasurf": (bytes.fromhex("cc1c30415ba43866") + b"\x01" * 30, b""),
}


# --- what they say ---


def test_a_wireguard_handshake_is_told_once_a_side() -> None:
    again = [(0, 0, ASK), (0, 0, ASK), (0, 1, ANSWER), (0, 0, wireguard_data(0x01020304, 0))]
    told = udp("wireguard", again)
    assert told["event.action"].to_list() == ["handshake-initiation", "handshake-response"]
    assert told["event.outcome"].to_list() == ["success", "success"]
    assert told["capture.wireguard.sender"].to_list() == ["d4c3b2a1", "04030201"]
    assert told["capture.wireguard.form"].unique().to_list() == ["standard"]


def test_what_differs_from_wireguard_needs_an_answer_that_names_the_asker() -> None:
    asked = wireguard(1, 204, 7)
    assert udp("wireguard", [(0, 0, asked)]).is_empty()
    assert udp("wireguard", [(0, 0, asked), (0, 1, wireguard(2, 100, 9, 8))]).is_empty()
    told = udp("wireguard", [(0, 0, asked), (0, 1, wireguard(2, 100, 9, 7))])
    assert told["capture.wireguard.form"].to_list() == ["lengthened", "lengthened"]
    warp = udp("wireguard", [(0, 0, wireguard_data(5, n, 0xC0, b"\x02\x78\0")) for n in range(4)])
    assert warp.select("event.action", "capture.wireguard.form", "capture.wireguard.reserved").rows() == [
        ("data", "cloudflare", "027800")
    ]


@pytest.mark.parametrize(
    ("counters", "count"), [([3, 4, 6], 1), ([3, 4], 0), ([3, 4, 4], 0), ([3, 4, 99999], 0)]
)
def test_data_alone_is_wireguards_if_its_counter_rises(counters: list[int], count: int) -> None:
    assert udp("wireguard", [(0, 0, wireguard_data(5, counter)) for counter in counters]).height == count


@pytest.mark.parametrize(
    ("code", "digest", "protection", "name"),
    [
        (7, 0, "none", None),
        (7, 16, "tls-auth", "MD5"),
        (7, 20, "tls-auth", "SHA1"),
        (7, 32, "tls-auth", "SHA256"),
        (7, 64, "tls-auth", "SHA512"),
        (7, None, "tls-crypt", None),
    ],
)
def test_openvpns_protection_is_told_apart(
    code: int, digest: int | None, protection: str, name: str | None
) -> None:
    told = udp("openvpn", [(0, 0, openvpn(code, digest)), (0, 1, openvpn(8, digest, answers=True))])
    assert told["capture.openvpn.protection"].to_list() == [protection] * 2
    assert told["capture.openvpn.digest"].to_list() == [name] * 2
    assert told["capture.openvpn.session_id"].to_list() == [SID.hex()] * 2
    assert told["capture.openvpn.peer_session_id"].to_list() == [
        None,
        PEER.hex() if digest is not None else None,
    ]
    assert told["event.outcome"].to_list() == ["success"] * 2


def test_a_wrapped_key_is_as_long_as_it_says() -> None:
    front = openvpn(10, None)
    front = front[:9] + b"\x0f\0\0\x01" + front[13:]  # negotiates early
    wrapped = b"\x55" * 90 + struct.pack(">H", 92)
    assert udp("openvpn", [(0, 0, front + wrapped)])["capture.openvpn.protection"].to_list() == [
        "tls-crypt-v2"
    ]
    assert udp("openvpn", [(0, 0, front + wrapped + b"\0")]).is_empty()


def test_ike_says_what_it_offers_and_who_asks() -> None:
    told = udp("ike", DATAGRAMS["ike"])
    assert told["event.action"].to_list() == ["aggressive", "ike-sa-init", "ike-sa-init", "ike-sa-init"]
    assert told["capture.ike.identity"].to_list() == ["staff", None, None, None]
    assert told["capture.ike.vendor_ids"].to_list()[0] == ["dead peer detection"]
    assert told["capture.ike.encryption"].to_list()[:2] == [["AES-CBC"], ["AES-GCM-16"]]
    assert told["capture.ike.group"].to_list()[:2] == [["MODP-2048"], ["Curve25519"]]
    assert told["capture.ike.authentication"].to_list()[:2] == [["XAUTH-pre-shared-key"], None]
    assert told["capture.ike.resp_spi"].to_list() == [None, None, PEER.hex(), None]


def test_esp_in_udp_is_told_by_port_and_counter() -> None:
    rows = [(0, 0, struct.pack(">II", 0xC0FFEE01, n) + b"\x99" * 40) for n in (1, 2, 3)]
    assert udp("esp", rows, (4500, 4500))["capture.esp.spi"].to_list() == ["c0ffee01"]
    assert udp("esp", rows, (4501, 4501)).is_empty()


def test_names_in_the_clear_are_read() -> None:
    assert udp("l2tp", DATAGRAMS["l2tp"])["capture.l2tp.host_name"].to_list() == ["lac.example"] * 2
    told = tcp("pptp", STREAMS["pptp"])
    assert told["capture.pptp.host_name"].to_list() == ["laptop.example"] * 2
    assert told["~answers"].to_list() == [False, True]
    assert tcp("tinc", TINC)["capture.tinc.name"].to_list() == ["alpha", "beta"]
    assert tcp("shared_input", STREAMS["shared_input"])["capture.shared_input.screen"].to_list() == [
        "laptop-7"
    ]
    told = udp("rustdesk", DATAGRAMS["rustdesk"])
    assert told["capture.rustdesk.id"].to_list() == ["123456789", "123456789"]
    assert told.select("user.name", "host.name").rows() == [(None, None), ("jdoe", "desk-7")]
    assert udp("zerotier", DATAGRAMS["zerotier"])["capture.zerotier.version"].to_list() == ["1.14.2"]
    assert udp("softether", DATAGRAMS["softether"])["capture.softether.address"].to_list() == ["192.0.2.7"]


def test_the_peer_of_rustdesk_gives_its_id() -> None:
    signed = b"\x07" * 64 + b"\x0a\x09987654321\x12\x20" + b"\x08" * 32
    told = tcp("rustdesk", (framed(member(3, (1, signed))), b""))
    assert told.select("event.action", "capture.rustdesk.id").rows() == [("signed-id", "987654321")]


# --- what holds for all ---

EVERY = [("udp", name) for name in DATAGRAMS] + [("tcp", name) for name in STREAMS]


@pytest.mark.parametrize(("way", "name"), EVERY)
def test_every_protocol_is_found_by_its_reader_alone(way: str, name: str) -> None:
    told = []
    for reader in READERS:
        if way == "udp" and isinstance(reader, OverUdp):
            told += [reader.name] * bool(reader.fits(datagrams_of(DATAGRAMS[name])).any())
        elif way == "tcp" and isinstance(reader, OverTcp):
            told += [reader.name] * bool(reader.fits(streams_of([STREAMS[name]])).any())
    assert told == [name]


@pytest.mark.parametrize(("way", "name"), EVERY)
def test_events_are_of_the_schema(way: str, name: str) -> None:
    told = udp(name, DATAGRAMS[name]) if way == "udp" else tcp(name, STREAMS[name])
    assert told.height
    assert set(told["event.dataset"]) == {f"capture.{name}"}
    for column, kind in told.schema.items():
        if column not in {"row", "side", "at", "~answers"}:
            assert dtype(column) == kind, column


@pytest.mark.parametrize("name", list(STREAMS))
def test_one_side_alone_raises_nothing(name: str) -> None:
    one, two = STREAMS[name]
    for pair in ((one, b""), (b"", two), (b"", b"")):
        assert tcp(name, pair).height <= 1


def changed(message: bytes, at: int, flip: int, keep: int) -> bytes:
    bad = bytearray(message)
    if bad:
        bad[at % len(bad)] ^= flip
    return bytes(bad[: keep % (len(bad) + 1)])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(EVERY), st.integers(0, 999), st.integers(0, 255), st.integers(0, 999))
def test_broken_messages_raise_nothing_and_leave_their_neighbour_alone(
    which: tuple[str, str], at: int, flip: int, keep: int
) -> None:
    way, name = which
    if way == "udp":
        good = DATAGRAMS[name]
        last = max(flow for flow, *_ in good) + 1
        bad = [(flow + last, side, changed(message, at, flip, keep)) for flow, side, message in good]
        told = udp(name, good + bad)
        alone, both = udp(name, good), _first(told, name, good)
    else:
        one, two = STREAMS[name]
        alone = tcp(name, (one, two))
        told = tcp(name, (one, two), (changed(one, at, flip, keep), changed(two, at, flip, keep)))
        both = told.filter(pl.col("row") == 0)
    assert both.equals(alone)


def _first(told: pl.DataFrame, name: str, good: list[tuple[int, int, bytes]]) -> pl.DataFrame:
    fit = int(over_udp(name).fits(datagrams_of(good)).sum())
    return told.filter(pl.col("row") < fit)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.binary(max_size=200)), min_size=1, max_size=8)
)
def test_noise_is_nothing(rows: list[tuple[int, int, bytes]]) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    found = datagrams_of(rows)
    for reader in READERS:
        if isinstance(reader, OverUdp) and reader.name not in {"rustdesk", "softether"}:
            assert not reader.fits(found).any()


def offered(data: Array, starts: Array, ends: Array) -> None:
    found, old = np.empty((4, 32), np.int64), np.array([1])
    payloads = found[:, : ike.walk(data, starts, ends, found)]
    ike.offers(data, payloads, old, np.empty((3, 64), np.int64))


def attributes(data: Array, starts: Array, ends: Array) -> None:
    l2tp.walk(data, starts, ends, np.array([7, 8]), np.empty((2, 2, 1), np.int64))


def parts(data: Array, starts: Array, ends: Array) -> None:
    rustdesk.members(data, starts, ends, np.full((8, 2, 1), -1))


KERNELS = ((offered, ike_1(b"staff"), 28), (attributes, l2tp_request(), 0), (parts, PING, 0))
COMPILED: dict[Any, tuple[str, ...]] = {
    ike: ("walk", "offers", "_transforms", "_short"),
    l2tp: ("walk",),
    rustdesk: ("members", "_fields", "_varint"),
}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(KERNELS), st.integers(0, 999), st.integers(0, 255), st.integers(0, 999))
def test_kernels_keep_inside_their_bounds(
    one: tuple[Callable[[Array, Array, Array], None], bytes, int], at: int, flip: int, keep: int
) -> None:
    kernel, message, least = one
    bad = changed(message, at, flip, max(keep % (len(message) + 1), least))
    data = np.frombuffer(bad, np.uint8).copy()
    with pytest.MonkeyPatch.context() as patch:
        for module, names in COMPILED.items():
            for name in names:
                patch.setattr(module, name, getattr(module, name).py_func)
        kernel(data, np.array([0]), np.array([len(data)]))


def test_numbers_and_digits_of_rows_that_end_early_are_missing() -> None:
    data = np.arange(16, dtype=np.uint8)
    places, ends = np.array([0, 14, -1]), np.array([16, 16, 16])
    assert fields.number(data, places, ends, 4).tolist() == [0x00010203, -1, -1]
    assert fields.number(data, places, ends, 2, little=True).tolist() == [0x0100, 0x0F0E, -1]
    assert fields.hexes(data, places, ends, 4).to_list() == ["00010203", None, None]
    assert fields.hexes(data, places[1:], ends[1:], 4).to_list() == [None, None]
    with pytest.raises(ValueError, match="1 to 7 bytes"):
        fields.number(data, places, ends, 8)
