"""Versions of QUIC, and what the keys of their first packets are made with.

RFC 9001, section 5.2 (version 1; the drafts had salts of their own), RFC 9369 (version 2), mvfst's
`QuicVersion`, and Chromium's `quic_versions.cc` for Google's versions before and beside the standard.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from sensors.capture.conversations import Array


@dataclass(frozen=True, slots=True)
class Version:
    """What has to be known of a version.

    Attributes:
        name: "1", "2", "draft-29", "Q050", "mvfst-27".
        salts: of the initial secret, the likeliest first.
        label: what the labels of key, nonce and header key begin with.
    """

    name: str
    salts: tuple[bytes, ...]
    label: bytes = b"quic "


_V1: Final = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
_V2: Final = bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")
_V2_DRAFT: Final = bytes.fromhex("a707c203a59b47184a1d62ca570406ea7ae3e5d3")
_D22: Final = bytes.fromhex("7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a")
_D23: Final = bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502")
_D29: Final = bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")
_Q050: Final = bytes.fromhex("504574efd066fe2f9d945cfcdbd3a7f0d3b56b45")
_T050: Final = bytes.fromhex("7ff579e5acd072915580304c43a2367c60488310")
_T051: Final = bytes.fromhex("7a4edef4e7ccee5fa4506c19124fc8ccda6e033d")
_DRAFTS: Final = {22: _D22, **dict.fromkeys(range(23, 29), _D23), **dict.fromkeys(range(29, 33), _D29)}

VERSIONS: Final = {
    0x00000001: Version("1", (_V1,)),
    0x6B3343CF: Version("2", (_V2,), b"quicv2 "),
    0x709A50C4: Version("2-draft", (_V2_DRAFT, _V2), b"quicv2 "),
    **{0xFF000000 + draft: Version(f"draft-{draft}", (_DRAFTS.get(draft, _V1),)) for draft in range(22, 35)},
    0xFACEB001: Version("mvfst-22", (_D22, _D23)),
    0xFACEB002: Version("mvfst-27", (_D23, _D29)),
    **dict.fromkeys(range(0xFACEB00D, 0xFACEB014), Version("mvfst-experimental", (_D23, _V1, _D29))),
    0x51303530: Version("Q050", (_Q050,)),
    0x54303530: Version("T050", (_T050,)),
    0x54303531: Version("T051", (_T051,)),
}
TURNED: Final = (0x6B3343CF, 0x709A50C4)  # version 2 counts the types of packets from another place
# Numbers of which a mask leaves these: drafts, mvfst's, Google's; and those that clients make up so that
# servers get used to what they do not know (RFC 9000, section 15).
_FAMILIES: Final = {
    0xFF000000: 0xFFFFFF00, 0xFACEB000: 0xFFFFFFF0, 0xFACEB010: 0xFFFFFFF0, 0x51303500: 0xFFFFFF00,
    0x54303500: 0xFFFFFF00,
}  # fmt: skip
_MADE_UP: Final = (0x0A0A0A0A, 0x0F0F0F0F)
_EARLY: Final = (0x51303434, 0x51303439)  # Q044 to Q049
_DRAFT: Final = 0xFF0000
_MVFST: Final = 0xFACEB0
_LIKELY: Final = (_V1, _D29)


def known(numbers: Array) -> Array:
    """Which are numbers of versions with the header of the standard; a mask."""
    found: Array = np.isin(numbers, [*VERSIONS])
    for family, mask in _FAMILIES.items():
        found |= (numbers & mask) == family
    return found


def made_up(numbers: Array) -> Array:
    """Which are numbers that no server knows; a mask."""
    family, mask = _MADE_UP
    found: Array = (numbers & mask) == family
    return found


def early(numbers: Array) -> Array:
    """Which are versions of Google's without protection, with a long header; a mask."""
    found: Array = (numbers >= _EARLY[0]) & (numbers <= _EARLY[1])
    return found


@cache
def of(number: int) -> Version:
    """What is known of a version; of one that is not in the table, its name and what is likely."""
    if number in VERSIONS:
        return VERSIONS[number]
    if number >> 8 == _DRAFT:
        return Version(f"draft-{number & 0xFF}", _LIKELY)
    if number >> 8 == _MVFST:
        return Version("mvfst-experimental", (_D23, *_LIKELY))
    letters = number.to_bytes(4, "big")
    return Version(letters.decode() if letters.isalnum() else f"0x{number:08x}", _LIKELY)
