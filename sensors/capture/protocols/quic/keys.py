"""Initial packets taken out of their protection (RFC 9001, section 5), which hides nothing from a bystander.

The keys follow from a connection id that stands in the open. A packet that was changed, or whose connection
began before the capture did, does not pass its check and is left out.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

    from sensors.capture.protocols.quic.versions import Version

_TAG: Final = 16
_FIRST_BLOCK: Final = (2).to_bytes(4)  # GCM counts from there
# Perhaps an acknowledgement of one range, a CRYPTO frame from 0 on, the hello of a client or a server.
_HELLO: Final = re.compile(
    rb"\x00*(\x02[\x00-\x3f].{1,2}\x00[\x00-\x3f])?\x06\x00[\x40-\x7f].[\x01\x02]\x00..\x03\x03", re.DOTALL
)
_SAMPLE: Final = 4  # how far behind the packet number's first byte the sample begins


@dataclass(frozen=True, slots=True)
class Keys:
    """What one side's Initial packets are protected with."""

    key: bytes
    sealed: AESGCM
    nonce: int
    header: CipherContext

    def opened(self, packet: bytes, number: int, *, cut: bool = False) -> bytes | None:
        """The frames of a packet whose number begins at `number`; None if these are not its keys.

        What is left of a packet that was cut cannot be checked: it has to begin with a hello.
        """
        sample = packet[number + _SAMPLE : number + _SAMPLE + _TAG]
        if len(sample) < _TAG:
            return None
        mask = self.header.update(sample)
        first = packet[0] ^ (mask[0] & 0x0F)
        size = (first & 3) + 1
        behind = number + size
        place = int.from_bytes(packet[number:behind]) ^ int.from_bytes(mask[1 : 1 + size])
        nonce = (self.nonce ^ place).to_bytes(12)
        if cut:
            counted = Cipher(AES(self.key), CTR(nonce + _FIRST_BLOCK)).decryptor()
            plain = counted.update(packet[behind:])
            return plain if _HELLO.match(plain) else None
        header = bytes((first,)) + packet[1:number] + place.to_bytes(size)
        try:
            return self.sealed.decrypt(nonce, packet[behind:], header)
        except InvalidTag:
            return None


def both(version: Version, salt: bytes, connection: bytes) -> tuple[Keys, Keys]:
    """The keys of client and server, from the connection id the client first sent to."""
    secret = hmac.digest(salt, connection, "sha256")
    return _keys(version, _expanded(secret, b"client in", 32)), _keys(
        version, _expanded(secret, b"server in", 32)
    )


def _keys(version: Version, secret: bytes) -> Keys:
    key = _expanded(secret, version.label + b"key", 16)
    return Keys(
        key,
        AESGCM(key),
        int.from_bytes(_expanded(secret, version.label + b"iv", 12)),
        Cipher(AES(_expanded(secret, version.label + b"hp", 16)), ECB()).encryptor(),  # noqa: S305 - as the RFC says
    )


def _expanded(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446, section 7.1), for what one block of the hash is enough."""
    return hmac.digest(secret, _info(label, size), "sha256")[:size]


@cache
def _info(label: bytes, size: int) -> bytes:
    label = b"tls13 " + label
    return size.to_bytes(2) + bytes((len(label),)) + label + b"\0\x01"
