from __future__ import annotations

from collections.abc import Sequence
from hashlib import md5, sha256
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_kernels import plain

from sensors.capture.protocols.tls import hello

_TLS = "sensors.capture.protocols.tls"
RANDOM = bytes(range(32))
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
NAME, GROUPS, FORMATS, SIGNATURES, ALPN, TICKET, SHARED, VERSIONS, KEYS = 0, 10, 11, 13, 16, 35, 41, 43, 51


def two(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "big") for number in numbers)


def long(data: bytes) -> bytes:
    return two(len(data)) + data


def short(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def extension(kind: int, data: bytes = b"") -> bytes:
    return two(kind) + long(data)


def name(host: str) -> bytes:
    return extension(NAME, long(b"\0" + long(host.encode())))


def alpn(*protocols: bytes) -> bytes:
    return extension(ALPN, long(b"".join(map(short, protocols))))


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def client_hello(
    *extensions: bytes,
    ciphers: Sequence[int] = (0x1301,),
    version: int = 0x0303,
    session: bytes = b"",
    cookie: bytes | None = None,
) -> bytes:
    start = two(version) + RANDOM + short(session) + (short(cookie) if cookie is not None else b"")
    return message(
        1, start + long(two(*ciphers)) + b"\1\0" + (long(b"".join(extensions)) if extensions else b"")
    )


def server_hello(
    *extensions: bytes,
    cipher: int = 0x1301,
    version: int = 0x0303,
    session: bytes = b"",
    random: bytes = RANDOM,
) -> bytes:
    end = long(b"".join(extensions)) if extensions else b""
    return message(2, two(version) + random + short(session) + two(cipher) + b"\0" + end)


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def laid(messages: Sequence[bytes]) -> tuple[Any, Any, Any]:
    ends = np.cumsum([len(each) for each in messages], dtype=np.int64)
    return np.frombuffer(b"".join(messages), np.uint8), ends - [len(each) for each in messages], ends


def client(*messages: bytes, transport: str = "t") -> list[dict[str, Any]]:
    return hello.client(*laid(messages), transport).to_dicts()


def server(*messages: bytes) -> list[dict[str, Any]]:
    return hello.server(*laid(messages)).to_dicts()


# The example of JA3's own description.
OLD = client_hello(
    name("shop.example"),
    extension(GROUPS, long(two(23, 24, 25))),
    extension(FORMATS, short(b"\0")),
    ciphers=[47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
    version=769,
)
# The example of JA4's description, with values of GREASE among the others.
CHROME = client_hello(
    extension(0x0A0A),
    extension(0x001B, b"\2\0\2"),
    name("www.example.org"),
    extension(KEYS, b"\0\0"),
    alpn(b"h2", b"http/1.1"),
    extension(0x4469, b"\0\3\2h2"),
    extension(0x0017),
    extension(0x002D, b"\1\1"),
    extension(SIGNATURES, long(two(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601))),
    extension(0x0005, b"\1\0\0\0\0"),
    extension(TICKET),
    extension(0x0012),
    extension(VERSIONS, short(two(0x3A3A, 0x0304, 0x0303))),
    extension(0xFF01, b"\0"),
    extension(FORMATS, short(b"\0")),
    extension(GROUPS, long(two(0x1A1A, 29, 23, 24))),
    extension(0x8A8A, b"\0"),
    extension(0x0015, bytes(40)),
    ciphers=[
        0xCACA, 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014,
        0x009C, 0x009D, 0x002F, 0x0035,
    ],
    session=RANDOM,
)  # fmt: skip


def test_ja3_of_its_own_example() -> None:
    (row,) = client(OLD)
    assert row["tls.client.ja3"] == "ada70206e40642a3e4461f35503241d5"
    assert row["tls.client.server_name"] == "shop.example"
    assert row["capture.tls.client.version"] == "1.0"
    assert row["tls.client.supported_ciphers"][:2] == [
        "TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA",
    ]  # fmt: skip


def test_ja4_of_its_own_example() -> None:
    (row,) = client(CHROME)
    assert row["capture.tls.ja4"] == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert row["capture.tls.client.next_protocols"] == ["h2", "http/1.1"]
    assert row["capture.tls.client.version"] == "1.3"
    assert row["capture.tls.ech"] is False
    assert row["~session"] == RANDOM.hex()
    assert len(row["tls.client.supported_ciphers"]) == 15  # GREASE is not one


def test_transports_are_the_first_letter_of_ja4() -> None:
    assert client(CHROME, transport="q")[0]["capture.tls.ja4"].startswith("q13d1516h2_")
    each = hello.client(*laid([CHROME, CHROME]), np.frombuffer(b"tq", np.uint8))
    assert [ja4[0] for ja4 in each["capture.tls.ja4"]] == ["t", "q"]


def test_the_hello_of_dtls_has_a_cookie() -> None:
    made = client_hello(name("a.example"), ciphers=[0xC02B], version=0xFEFD, cookie=b"\1\2\3")
    (row,) = client(made, transport="d")
    assert row["tls.client.server_name"] == "a.example"
    assert row["capture.tls.ja4"].startswith("dd2d0101")
    newest = client_hello(extension(VERSIONS, short(two(0xFEFD, 0xFEFC))), version=0xFEFD, cookie=b"")
    assert client(newest, transport="d")[0]["capture.tls.client.version"] == "1.3"


@pytest.mark.parametrize(
    ("protocol", "letters"),
    [(b"h2", "h2"), (b"http/1.1", "h1"), (b"x", "xx"), (b"\xab", "ab"), (b"\xab\x12\xcd", "ad"), (b"", "00"),
     (b"0\xab", "3b"), (b"h-", "6d")],
)  # fmt: skip
def test_alpn_in_ja4(protocol: bytes, letters: str) -> None:
    assert client(client_hello(alpn(protocol)))[0]["capture.tls.ja4"][8:10] == letters


def test_counts_in_ja4_end_at_99_and_nothing_has_no_hash() -> None:
    (row,) = client(client_hello(ciphers=range(1, 151)))
    assert row["capture.tls.ja4"][:10] == "t12i990000"
    assert row["capture.tls.ja4"].endswith("_000000000000")
    (empty,) = client(client_hello(ciphers=[0x0A0A]))
    assert empty["capture.tls.ja4"] == "t12i000000_000000000000_000000000000"


def test_what_is_not_printable_is_escaped() -> None:
    (row,) = client(client_hello(extension(NAME, long(b"\0" + long(b"a\xff\0b")))))
    assert row["tls.client.server_name"] == r"a\xff\x00b"


def test_encrypted_client_hello_and_tickets() -> None:
    (row,) = client(client_hello(extension(0xFE0D, b"\0"), extension(TICKET, b"old")))
    assert row["capture.tls.ech"] is True
    assert row["~ticket"] is True


def test_other_messages_do_not_fit() -> None:
    rows = client(b"", b"\1", message(1, b"nothing"), server_hello(), b"GET / HTTP/1.1\r\n" * 9)
    assert [row["fits"] for row in rows] == [False] * 5
    assert all(value is None for row in rows for key, value in row.items() if key != "fits")
    assert [row["fits"] for row in server(b"", CHROME, server_hello())] == [False, False, True]


def test_server_hello_of_tls_13() -> None:
    made = server_hello(
        extension(VERSIONS, two(0x0304)), extension(KEYS, two(29) + long(RANDOM)), extension(SHARED, b"\0\0")
    )
    (row,) = server(made)
    assert (row["tls.version"], row["tls.version_protocol"]) == ("1.3", "tls")
    assert (row["tls.cipher"], row["tls.curve"]) == ("TLS_AES_128_GCM_SHA256", "x25519")
    assert row["tls.resumed"] is True
    assert row["tls.server.ja3s"] == _md5("771,4865,43-51-41")


def test_server_hello_of_tls_12() -> None:
    (row,) = server(server_hello(alpn(b"h2"), extension(0xFF01, b"\0"), cipher=0xC02F, session=b"\xab"))
    assert (row["tls.version"], row["tls.next_protocol"]) == ("1.2", "h2")
    assert row["tls.resumed"] is None
    assert row["~session"] == "ab"
    assert row["tls.server.ja3s"] == _md5("771,49199,16-65281")


def test_a_server_asks_again() -> None:
    made = server_hello(extension(VERSIONS, two(0x0304)), extension(KEYS, two(24)), random=RETRY)
    (row,) = server(made)
    assert row["~retry"] is True
    assert row["tls.curve"] == "secp384r1"


def test_drafts_and_unknown_numbers() -> None:
    early = message(2, two(0x7F12) + RANDOM + two(0x1301) + long(extension(SHARED, b"\0\0")))
    (row, odd) = server(early, server_hello(cipher=0xEEEE, version=0x0399))
    assert (row["tls.version"], row["tls.cipher"]) == ("1.3", "TLS_AES_128_GCM_SHA256")
    assert (odd["tls.version"], odd["tls.cipher"]) == (None, "unknown-61166")


def test_a_message_cut_short_says_what_came_before() -> None:
    whole, neighbour = client(CHROME, OLD)
    rows = client(*(each for size in range(len(CHROME)) for each in (CHROME[:size], OLD)))
    assert all(row == neighbour for row in rows[1::2])
    for row in rows[::2]:
        assert row["tls.client.ja3"] is None
        assert row["capture.tls.ja4"] is None
        assert row["tls.client.server_name"] in {None, whole["tls.client.server_name"]}
    assert rows[-2]["tls.client.server_name"] == "www.example.org"


_NUMBERS = st.integers(0, 0xFFFF) | st.sampled_from([0x0A0A, 0xFAFA, 0x1301, 0xC02F])
_EXTENSIONS = st.lists(
    st.one_of(
        st.builds(extension, st.integers(52, 0xFFFF) | st.sampled_from([0x2A2A]), st.binary(max_size=9)),
        st.builds(name, st.text("abc.-", min_size=1, max_size=30)),
    ),
    max_size=8,
)


def _grease(number: int) -> bool:
    return number in {0x0A0A + 0x1010 * k for k in range(16)}


def _slowly(
    ciphers: list[int], kinds: list[int], groups: list[int], formats: bytes, signatures: list[int]
) -> tuple[str, str]:
    """JA3 and JA4 of a hello of TLS 1.2, by their descriptions."""
    suites, types, curves, signs = (
        [k for k in each if not _grease(k)] for each in (ciphers, kinds, groups, signatures)
    )
    parts = ["-".join(map(str, part)) for part in (suites, types, curves, formats)]
    ja3 = _md5(",".join(["771", *parts]))
    second = ",".join(sorted(f"{k:04x}" for k in suites))
    third = ",".join(sorted(f"{k:04x}" for k in types if k not in {0, 16}))
    third += "_" * bool(signs) + ",".join(f"{k:04x}" for k in signs)
    hashes = [sha256(part.encode()).hexdigest()[:12] if part else "0" * 12 for part in (second, third)]
    named = "d" if 0 in kinds else "i"
    return ja3, f"t12{named}{min(len(suites), 99):02}{min(len(types), 99):02}00_{'_'.join(hashes)}"


@settings(deadline=None, max_examples=60)
@given(
    st.lists(_NUMBERS, max_size=130),
    _EXTENSIONS,
    st.lists(_NUMBERS, max_size=9),
    st.binary(max_size=5),
    st.lists(_NUMBERS, max_size=9),
)
def test_fingerprints_are_those_of_the_slow_way(
    ciphers: list[int], others: list[bytes], groups: list[int], formats: bytes, signatures: list[int]
) -> None:
    parts = [
        extension(GROUPS, long(two(*groups))),
        *others,
        extension(SIGNATURES, long(two(*signatures))),
        extension(FORMATS, short(formats)),
    ]
    (row,) = client(client_hello(*parts, ciphers=ciphers))
    kinds = [int.from_bytes(part[:2], "big") for part in parts]
    assert (row["tls.client.ja3"], row["capture.tls.ja4"]) == _slowly(
        ciphers, kinds, groups, formats, signatures
    )


def test_nothing_outside_of_a_message_is_read() -> None:
    _, walk = plain(f"{_TLS}.texts", f"{_TLS}.hello_walk")
    random = np.random.default_rng(7)
    server_message = server_hello(extension(VERSIONS, two(0x0304)), extension(KEYS, two(29)), alpn(b"h2"))
    for kind, made in ((1, CHROME), (1, OLD), (2, server_message)):
        whole = np.frombuffer(made, np.uint8)
        for size in range(0, len(whole), 3):
            data = whole[:size].copy()
            if size % 2:
                data[random.integers(4, max(size, 5), 3) % size] = random.integers(0, 256, 3)
            found = np.zeros((1, walk.WIDTH), np.int64)
            text = np.zeros(size * walk.ROOM + walk.ROOM_EACH, np.uint8)
            letters = np.frombuffer(b"d" if size % 3 else b"t", np.uint8)
            walk.read(data, np.array([0]), np.array([size]), kind, letters, found, text)


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_changed_bytes_do_no_harm(data: st.DataObject) -> None:
    broken = bytearray(data.draw(st.sampled_from([CHROME, OLD, server_hello(alpn(b"h2"), alpn(b"x"))])))
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    ours = client(bytes(broken), OLD)
    assert ours[1] == client(OLD)[0]
    assert server(bytes(broken), server_hello())[1] == server(server_hello())[0]
