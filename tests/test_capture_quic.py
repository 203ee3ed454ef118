"""QUIC's first packets: RFC 9001 and 9369, and Google's versions, made here and read back."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_conversations import datagrams_of, streams_of

from sensors.capture.conversations import CLIENT, SERVER
from sensors.capture.protocols.quic import PROTOCOL, crypto, google, packets
from sensors.capture.protocols.quic.versions import VERSIONS
from sensors.capture.protocols.quic.zero import PROTOCOL as ZERO

# RFC 9001, appendix A: the ids, the hellos, and keys of both sides (key, nonce, header key).
CID = bytes.fromhex("8394c8f03e515708")
SERVER_CID = bytes.fromhex("f067a5502a4262b5")
HELLO = bytes.fromhex(
    "010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c0"
    "00000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e00"
    "0500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748"
    "002b0003020304000d0010000e0403050306030203080408050806002d00020101001c00024001003900320408ffffffff"
    "ffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff"
)
ANSWER = bytes.fromhex(
    "020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a1200130100002e0033002400"
    "1d00209d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304"
)
CLIENT_KEYS = (
    "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2"
)  # fmt: skip
SERVER_KEYS = (
    "cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e", "c206b8d9b9f0f37644430b490eeaa314"
)  # fmt: skip
CLIENT_KEYS_2 = (  # RFC 9369, appendix A
    "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9"
)  # fmt: skip
ONE, TWO, Q050 = 0x00000001, 0x6B3343CF, 0x51303530

Keys = tuple[bytes, bytes, bytes]


def keys_of(version: int, cid: bytes, side: int) -> Keys:
    extracted = HMAC(VERSIONS[version].salts[0], SHA256())
    extracted.update(cid)
    secret = expanded(extracted.finalize(), b"server in" if side else b"client in", 32)
    label = VERSIONS[version].label
    return tuple(
        expanded(secret, label + which, size) for which, size in ((b"key", 16), (b"iv", 12), (b"hp", 16))
    )  # type: ignore[return-value]


def expanded(secret: bytes, label: bytes, size: int) -> bytes:
    label = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
    return HKDFExpand(SHA256(), size, info).derive(secret)


def varied(number: int) -> bytes:
    return (number | 0x4000).to_bytes(2, "big")


def crypto_frame(offset: int, data: bytes) -> bytes:
    return b"\x06" + (varied(offset) if offset > 63 else bytes([offset])) + varied(len(data)) + data


def initial(
    frames: bytes,
    *,
    to: bytes = CID,
    own: bytes = b"",
    number: int = 2,
    version: int = ONE,
    keys: Keys | None = None,
    token: bytes = b"",
    size: int = 1162,
) -> bytes:
    frames = frames.ljust(size, b"\0")
    kind = 0x10 if version == TWO else 0
    head = bytes([0xC3 | kind]) + version.to_bytes(4, "big") + bytes([len(to)]) + to + bytes([len(own)]) + own
    head += bytes([len(token)]) + token + varied(4 + len(frames) + 16)
    place = len(head)
    head += number.to_bytes(4, "big")
    key, nonce, mask_key = keys or keys_of(version, to, CLIENT)
    used = (int.from_bytes(nonce, "big") ^ number).to_bytes(12, "big")
    body = AESGCM(key).encrypt(used, frames, head)
    mask = Cipher(AES(mask_key), ECB()).encryptor().update(body[:16])  # noqa: S305 - as the RFC says
    hidden = bytes(a ^ b for a, b in zip(head[place:], mask[1:5], strict=True))
    return bytes([head[0] ^ mask[0] & 0x0F]) + head[1:place] + hidden + body


def answer(frames: bytes = crypto_frame(0, ANSWER), *, to: bytes = b"", cid: bytes = CID) -> bytes:
    ack = bytes.fromhex("0200000000")
    return initial(ack + frames, to=to, own=SERVER_CID, number=1, keys=keys_of(ONE, cid, SERVER), size=99)


def told(rows: list[tuple[int, int, bytes]]) -> pl.DataFrame:
    given_rows = datagrams_of(rows)
    mine = np.flatnonzero(PROTOCOL.fits(given_rows))
    found = PROTOCOL.events(given_rows.only(mine))
    return found.with_columns(pl.Series("row", mine[found["row"].to_numpy()], pl.Int64))


def hexed(keys: tuple[str, str, str]) -> Keys:
    one, two, three = map(bytes.fromhex, keys)
    return one, two, three


def test_the_rfcs_own_connection() -> None:
    packet = initial(crypto_frame(0, HELLO), keys=hexed(CLIENT_KEYS))
    assert packet[:32].hex() == "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11"
    reply = initial(
        bytes.fromhex("0200000000") + crypto_frame(0, ANSWER),
        to=b"", own=SERVER_CID, number=1, keys=hexed(SERVER_KEYS), size=99,
    )  # fmt: skip
    event = told([(0, CLIENT, packet), (0, SERVER, reply)]).to_dicts()[0]
    assert event["row"] == 0
    assert event["tls.client.server_name"] == event["destination.domain"] == "example.com"
    assert event["tls.next_protocol"] == "alpn"
    assert event["capture.quic.version"] == "1"
    assert event["capture.quic.client_initial_dcid"] == CID.hex()
    assert event["capture.quic.server_scid"] == SERVER_CID.hex()
    assert event["tls.cipher"] == "TLS_AES_128_GCM_SHA256"
    assert event["tls.client.ja3"]
    assert event["tls.server.ja3s"]
    assert event["capture.tls.ja4"].startswith("q13d02")
    assert event["network.protocol"] == "quic"
    assert event["event.dataset"] == "capture.quic"


def test_version_2_has_keys_and_kinds_of_its_own() -> None:
    packet = initial(crypto_frame(0, HELLO), version=TWO, keys=hexed(CLIENT_KEYS_2))
    event = told([(0, CLIENT, packet)]).to_dicts()[0]
    assert (event["capture.quic.version"], event["tls.client.server_name"]) == ("2", "example.com")


@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_every_version(version: int) -> None:
    if version in (TWO, 0x709A50C4):
        return
    event = told([(0, CLIENT, initial(crypto_frame(0, HELLO), version=version))]).to_dicts()[0]
    assert event["tls.client.server_name"] == "example.com"
    assert event["capture.quic.version"] == VERSIONS[version].name


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(1, len(HELLO) - 1), max_size=8), st.randoms(use_true_random=False))
def test_frames_in_any_order_over_packets_and_datagrams(cuts: set[int], chance: random.Random) -> None:
    places = [0, *sorted(cuts), len(HELLO)]
    frames = [crypto_frame(a, HELLO[a:b]) for a, b in pairwise(places)]
    frames += chance.sample(frames, min(2, len(frames)))
    chance.shuffle(frames)
    rows: list[tuple[int, int, bytes]] = []
    for number, frame in enumerate(frames):
        packet = initial(b"\x01" + frame, number=number, size=300)
        if rows and chance.random() < 0.5:
            rows[-1] = (0, CLIENT, rows[-1][2] + packet)
        else:
            rows.append((0, CLIENT, packet))
    if all(each[2].count(CID) <= packets.MOST for each in rows) and len(frames) <= 10:
        events = told(rows).to_dicts()
        assert [event["tls.client.server_name"] for event in events] == ["example.com"]
        assert events[0]["tls.client.ja3"]


def test_after_a_retry_the_key_follows_the_new_id() -> None:
    retry = b"\xf0" + ONE.to_bytes(4, "big") + b"\0" + bytes([8]) + SERVER_CID + b"token" + bytes(16)
    again = initial(crypto_frame(0, HELLO), to=SERVER_CID, token=b"token")
    reply = answer(cid=SERVER_CID)
    rows = [
        (0, CLIENT, initial(crypto_frame(0, HELLO))),
        (0, SERVER, retry),
        (0, CLIENT, again),
        (0, SERVER, reply),
    ]
    event = told(rows).to_dicts()
    assert len(event) == 1
    assert event[0]["row"] == 0
    assert event[0]["capture.quic.client_initial_dcid"] == SERVER_CID.hex()
    assert event[0]["tls.cipher"] == "TLS_AES_128_GCM_SHA256"


def test_what_follows_goes_to_the_servers_id() -> None:
    first = initial(crypto_frame(0, HELLO[:100]), number=0)
    rest = initial(crypto_frame(100, HELLO[100:]), to=SERVER_CID, number=1, keys=keys_of(ONE, CID, CLIENT))
    events = told([(0, CLIENT, first), (0, SERVER, answer()), (0, CLIENT, rest)]).to_dicts()
    assert [event["tls.client.ja3"] is not None for event in events] == [True]


def test_a_flow_that_was_seen_from_the_wrong_side() -> None:
    rows = [
        (0, CLIENT, answer(to=b"abcdefgh")),
        (0, SERVER, initial(crypto_frame(0, HELLO), own=b"abcdefgh")),
    ]
    event = told(rows).to_dicts()[0]
    assert (event["row"], event["tls.client.server_name"]) == (1, "example.com")


def test_a_packet_that_was_changed_is_quic_and_no_more() -> None:
    packet = bytearray(initial(crypto_frame(0, HELLO)))
    packet[600] ^= 1
    event = told([(0, CLIENT, bytes(packet))]).to_dicts()[0]
    assert event["capture.quic.version"] == "1"
    assert event["tls.client.server_name"] is None


@pytest.mark.parametrize(("size", "name"), [(250, "example.com"), (140, "example.com"), (60, None)])
def test_a_packet_that_was_cut_tells_what_is_left(size: int, name: str | None) -> None:
    rows = [(0, CLIENT, initial(crypto_frame(0, HELLO))[:size]), (0, SERVER, answer()[:100])]
    event = told(rows).to_dicts()[0]
    assert (event["tls.client.server_name"], event["tls.client.ja3"]) == (name, None)


def chlo(**tags: bytes) -> bytes:
    entries, values = b"", b""
    for name, value in tags.items():
        values += value
        entries += name.encode().ljust(4, b"\0") + len(values).to_bytes(4, "little")
    return b"CHLO" + len(tags).to_bytes(2, "little") + b"\0\0" + entries + values


SAID = chlo(PAD=b"-" * 900, SNI=b"www.example.net", VER=b"Q043", UAID=b"Example/1.0 Test")


@pytest.mark.parametrize(
    ("version", "datagram"),
    [
        ("Q043", b"\x0d" + CID + b"Q043" + b"\x01" + bytes(12) + b"\xa0\x01\x00\x04" + SAID),
        ("Q046", b"\xc3Q046\x50" + CID + bytes(4) + bytes(12) + b"\xa0\x01\x00\x04" + SAID),
        ("Q050", initial(b"\x08" + varied(0) + varied(len(SAID)) + SAID, version=Q050)),
    ],
)
def test_googles_own_hello(version: str, datagram: bytes) -> None:
    event = told([(0, CLIENT, datagram)]).to_dicts()[0]
    assert event["capture.quic.version"] == version
    assert event["tls.client.server_name"] == "www.example.net"
    assert event["user_agent.original"] == "Example/1.0 Test"


def test_metas_zero_over_tcp() -> None:
    said = b"1QTV0" + len(SAID).to_bytes(4, "little") + SAID
    given_rows = streams_of([(said, b"1QTV0"), (b"QTV0 CHLO", b"")])
    assert ZERO.fits(given_rows).tolist() == [True, False]
    assert ZERO.events(given_rows.only(np.array([0])))["tls.client.server_name"].to_list() == [
        "www.example.net"
    ]


def test_a_client_names_itself_in_a_transport_parameter() -> None:
    agent = b"Example/2.0"
    parameter = (0x80003129).to_bytes(4, "big") + bytes([len(agent)]) + agent
    extension = b"\x00\x39" + len(parameter).to_bytes(2, "big") + parameter
    body = (
        b"\x03\x03"
        + bytes(32)
        + b"\0"
        + b"\x00\x02\x13\x01"
        + b"\x01\x00"
        + len(extension).to_bytes(2, "big")
    )
    body += extension
    hello = b"\x01" + len(body).to_bytes(3, "big") + body
    assert told([(0, CLIENT, initial(crypto_frame(0, hello)))])["user_agent.original"].to_list() == [
        "Example/2.0"
    ]


@pytest.mark.parametrize(("version", "name"), [(0x1A2A3A4A, "0x1a2a3a4a"), (0xFF0000A7, "draft-167")])
def test_a_version_that_is_in_no_table(version: int, name: str) -> None:
    keys = keys_of(ONE, CID, CLIENT)
    rows = [(0, CLIENT, initial(crypto_frame(0, HELLO), version=version, keys=keys))]
    event = told(rows).to_dicts()[0]
    assert (event["capture.quic.version"], event["tls.client.server_name"]) == (name, "example.com")


def test_what_is_not_quic() -> None:
    others = [
        b"", b"\xc3", bytes(40), b"\x16\xfe\xfd" + bytes(40), b"\xc3\x00\x00\x00\x01\x30" + bytes(40),
        b"\x80\x60" + bytes(40), b"\xc0\xff\xee\x00\x01" + bytes(40),
        b"\x0d" + bytes(8) + b"Q0x3" + bytes(40),
    ]  # fmt: skip
    assert not PROTOCOL.fits(datagrams_of([(k, CLIENT, each) for k, each in enumerate(others)])).any()


GOOD = [(0, CLIENT, initial(crypto_frame(0, HELLO))), (0, SERVER, answer())]
BASES = [
    GOOD[0][2], GOOD[1][2], b"\x0d" + CID + b"Q043" + b"\x01" + bytes(12) + b"\xa0\x01\x00\x04" + SAID,
    GOOD[0][2] + GOOD[0][2],
]  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(BASES), st.integers(0, 2500), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 255)))
)
def test_broken_datagrams_raise_nothing_and_disturb_nobody(
    base: bytes, size: int, flips: list[tuple[int, int]]
) -> None:
    broken = bytearray(base[:size])
    for place, value in flips:
        if place < len(broken):
            broken[place] = value
    alone = told(GOOD).to_dicts()[0]
    event = next(each for each in told([*GOOD, (1, CLIENT, bytes(broken))]).to_dicts() if each["row"] == 0)
    assert {name: value for name, value in event.items() if value is not None} == {
        name: value for name, value in alone.items() if value is not None
    }


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=3), st.sampled_from(BASES), st.integers(0, 70))
def test_kernels_stay_inside_their_rows(pieces: list[bytes], base: bytes, size: int) -> None:
    """In Python's form an index behind the array is an error; what is in front of it is not read either."""
    rows = datagrams_of(
        [(0, CLIENT, each) for each in (*pieces, base[:size], b"\x08" + varied(0) + varied(9) + SAID)]
    )
    data, starts, ends = rows.data[: rows.ends[-1]], rows.starts, rows.ends
    found = np.empty((len(rows) * packets.MOST, packets.WIDTH), np.int64)
    count = packets.walk.py_func(data, starts, ends, found)  # type: ignore[attr-defined]
    assert (found[:count, packets.END] <= ends[found[:count, packets.ROW]]).all()
    crypto.together.py_func(data, starts, ends, np.zeros(len(rows), np.int64), 1)  # type: ignore[attr-defined]
    spans = np.full((len(rows), google.WIDTH), -1, np.int64)
    google.tags.py_func(data, starts, ends, spans)  # type: ignore[attr-defined]
    google.parameters.py_func(data, starts, ends, spans)  # type: ignore[attr-defined]
    assert (spans[:, 1::2] <= ends[:, None]).all()
