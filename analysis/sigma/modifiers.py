"""Sigma's modifiers: pySigma's, with those corrected or added where the specification says otherwise.

- `utf16le` and `utf16` (with a byte order mark, FF FE) encode to the bytes that they name. pySigma 1.5 has no
  `utf16le`, and encodes the mark of `utf16` in UTF-8.
- `base64` and `base64offset` encode the bytes of the text: pySigma counts characters where it must count
  bytes, and puts a backslash before a literal `*`.

- `re` is checked by the engine that will run it (Rust's, see `detection.py`), not by Python's.

Source: https://sigmahq.io/sigma-specification/specification/sigma-appendix-modifiers.html
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

from sigma.exceptions import SigmaValueError
from sigma.modifiers import SigmaValueModifier, modifier_mapping
from sigma.types import SigmaExpansion, SigmaRegularExpression, SigmaString

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sigma.modifiers import SigmaModifier


class EncodedString(SigmaString):
    """Text that stands for bytes, which `base64` encodes as they are."""

    data: bytes

    @classmethod
    def of(cls, data: bytes) -> EncodedString:
        """The bytes, shown as text as far as they are any."""
        string = cls()
        string.original = data.decode("utf-8", "replace")
        string.s = [string.original]
        string.data = data
        return string


def _bytes(value: SigmaString, modifier: SigmaModifier[Any, Any]) -> bytes:
    if isinstance(value, EncodedString):
        return value.data
    if value.contains_special():
        raise SigmaValueError("a text with wildcards cannot be encoded", source=modifier.source)
    return "".join(part for part in value.s if isinstance(part, str)).encode()


class _Utf16(SigmaValueModifier[SigmaString, SigmaString]):
    """The bytes of the text in an encoding of two bytes a character."""

    encoding = "utf-16-le"
    mark = b""

    def modify(self, val: SigmaString) -> SigmaString:
        return EncodedString.of(self.mark + _bytes(val, self).decode().encode(self.encoding))


class _Utf16Marked(_Utf16):
    mark = b"\xff\xfe"


class _Utf16Big(_Utf16):
    encoding = "utf-16-be"


class _Base64(SigmaValueModifier[SigmaString, SigmaString]):
    """The text in Base64 (RFC 4648, section 4)."""

    def modify(self, val: SigmaString) -> SigmaString:
        return SigmaString.from_str(b64encode(_bytes(val, self)).decode())


class _Base64Offset(SigmaValueModifier[SigmaString, SigmaExpansion]):
    """The three forms a text takes inside a longer text in Base64, by its offset modulo three.

    The characters at either end that also carry bits of what stands before or after are left out.
    """

    def modify(self, val: SigmaString) -> SigmaExpansion:
        data = _bytes(val, self)
        forms = []
        for offset in range(3):
            encoded = b64encode(b" " * offset + data).decode()
            end = (None, -3, -2)[(len(data) + offset) % 3]
            forms.append(SigmaString.from_str(encoded[(0, 2, 3)[offset] : end]))
        return SigmaExpansion(list(forms))


class _Pattern(SigmaRegularExpression):
    """A regular expression that Python need not understand."""

    def compile(self) -> None:
        """Nothing: the engine that runs it compiles it."""


class _Regex(SigmaValueModifier[SigmaString, SigmaRegularExpression]):
    """The text is a regular expression."""

    def modify(self, val: SigmaString) -> SigmaRegularExpression:
        if self.applied_modifiers:
            raise SigmaValueError("`re` must be the first modifier", source=self.source)
        return _Pattern(val.original)


MODIFIERS: Final[Mapping[str, type[SigmaModifier[Any, Any]]]] = {
    **modifier_mapping,
    "re": _Regex,
    "utf16": _Utf16Marked,
    "utf16le": _Utf16,
    "wide": _Utf16,
    "utf16be": _Utf16Big,
    "base64": _Base64,
    "base64offset": _Base64Offset,
}
