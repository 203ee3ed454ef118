"""Sigma's modifiers: what is done to a value before it is compared, in the order of writing.

They are the specification's, and those of pySigma 1.5 besides (`ignorecase`, `multiline`, `dotall`). Where
the two differ, or pySigma errs, the specification is followed:

- `utf16le` and `utf16` (with a byte order mark, FF FE) encode to the bytes that they name; `base64` and
  `base64offset` encode those bytes: pySigma has no `utf16le`, encodes the mark in UTF-8, counts characters
  where it must count bytes, and puts a backslash before a literal `*`.
- `windash` takes each of the five dashes for any other; pySigma takes only `-` and `/` to begin with, and
  forgets that a text was `cased`.
- `hour|gte` compares the part of the time; pySigma forgets the part.

Source: https://sigmahq.io/sigma-specification/specification/sigma-appendix-modifiers.html
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from ipaddress import IPv6Network, ip_network
from itertools import product
from typing import TYPE_CHECKING, Final

from analysis.sigma import tree
from analysis.sigma.reading.draft import (
    MAX_FORMS,
    Expression,
    ModifierError,
    Placeholder,
    Words,
    Written,
    merged,
)
from analysis.sigma.reading.placeholders import expanded
from analysis.sigma.regex import RegexError, compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from analysis.sigma.reading.draft import Context, Draft

SHOWN: Final = 80  # characters of a regular expression in a message
DASHES: Final = "-/\u2013\u2014\u2015"  # hyphen, slash, en dash, em dash, horizontal bar
_DASH: Final = re.compile(rf"\B[{DASHES}]\b")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_RANGES: Final = {
    "minute": (0, 59), "hour": (0, 23), "day": (1, 31), "week": (1, 53), "month": (1, 12), "year": (1, 9999),
}  # fmt: skip
_REGEX_FLAGS: Final = {
    "i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s",
}  # fmt: skip
_TRUTHS: Final = {"true": ("true", "yes", "y", "on", "1"), "false": ("false", "no", "n", "off", "0")}
_ENCODINGS: Final = {
    "wide": ("utf-16-le", b""), "utf16le": ("utf-16-le", b""), "utf16be": ("utf-16-be", b""),
    "utf16": ("utf-16-le", b"\xff\xfe"),
}  # fmt: skip


def modified(draft: Draft, modifiers: Sequence[str], context: Context) -> list[Draft]:
    """What a value stands for after `modifiers`, of which any is asked for.

    Raises:
        ModifierError: a modifier makes no sense where it stands.
    """
    drafts = [draft]
    done: list[str] = []
    for name in _in_order(modifiers):
        if name in ("all", "neq"):
            continue
        after: list[Draft] = []
        for before in drafts:
            after += _applied(name, before, done, context)
            if len(after) > MAX_FORMS:
                raise ModifierError(
                    f"`{name}` makes more than {MAX_FORMS} forms of one value; use fewer in it"
                )
        drafts = after
        done.append(name)
    return drafts


def finished(draft: Draft) -> tree.Value:
    """What is compared.

    Raises:
        ModifierError: a regular expression that cannot run.
    """
    match draft:
        case Words(parts):
            return tree.Text(merged(parts), draft.cased)
        case Expression():
            return _runnable(draft)
        case Written():
            raise ModifierError("`re` is missing; write it behind the field")
    return draft


def _runnable(draft: Expression) -> tree.Regex:
    """The expression, tied to the ends of the text that startswith and endswith name."""
    pattern = "".join(str(part) for part in draft.parts)
    flags = "".join(sorted(draft.flags))
    if draft.starts != draft.ends:
        pattern = rf"\A(?:{pattern})" if draft.starts else rf"(?:{pattern})\z"
    try:
        compiled(pattern, flags)
    except RegexError as error:
        shown = pattern if len(pattern) <= SHOWN else pattern[:SHOWN] + "…"
        message = f"the regular expression /{shown}/ cannot run: {error}; write it differently"
        raise ModifierError(message) from error
    return tree.Regex(pattern, flags)


def _in_order(modifiers: Sequence[str]) -> list[str]:
    """`expand` before `cidr` and `re`, which read the whole text."""
    first = "expand" in modifiers and ("cidr" in modifiers or "re" in modifiers)
    return ["expand", *(name for name in modifiers if name != "expand")] if first else list(modifiers)


def _applied(name: str, draft: Draft, done: Sequence[str], context: Context) -> Sequence[Draft]:
    if name in _ALONE and set(done) - {"expand"}:
        raise ModifierError(f"`{name}` must be the first modifier; write it before {done[-1]}")
    return MODIFIERS[name](name, draft, context)


def _unfit(name: str, draft: Draft) -> ModifierError:
    match draft:
        case Written():
            return ModifierError(f"`re` must be the first modifier; write it before `{name}`")
        case Expression():
            return ModifierError(f"`{name}` cannot be applied to a regular expression; leave one of them out")
        case Words(parts):
            if name in _REGEX_FLAGS:
                return ModifierError(f"`{name}` belongs after `re`")
            if name in (*_RANGES, *_COMPARE):
                shown = _shown(parts)
                number = re.fullmatch(r"[-+]?\d+(\.\d+)?", shown)
                advice = "write it without quotes" if number else "write a number"
                return ModifierError(f"`{name}` asks for a number, not the text {shown!r}; {advice}")
    return ModifierError(f"`{name}` cannot be applied to {draft}; put the value in quotes if it is a text")


def _shown(parts: Sequence[object]) -> str:
    return "".join(part.value if isinstance(part, tree.Wild) else str(part) for part in parts)


# --- where in the text ---------------------------------------------------------------


def _placed(name: str, draft: Draft, _: Context) -> list[Draft]:
    """`contains`, `startswith` and `endswith`."""
    open_start, open_end = name in ("contains", "endswith"), name in ("contains", "startswith")
    match draft:
        case Words(parts):
            before = (tree.Wild.ANY,) if open_start and parts[:1] != (tree.Wild.ANY,) else ()
            behind = (tree.Wild.ANY,) if open_end and (*before, *parts)[-1:] != (tree.Wild.ANY,) else ()
            return [replace(draft, parts=(*before, *parts, *behind), data=None)]
        case Expression():
            return [replace(draft, starts=draft.starts or open_end, ends=draft.ends or open_start)]
        case tree.Reference():
            return [replace(draft, starts=draft.starts or open_end, ends=draft.ends or open_start)]
    raise _unfit(name, draft)


def _cased(name: str, draft: Draft, _: Context) -> list[Draft]:
    if isinstance(draft, Words):
        return [replace(draft, cased=True)]
    if isinstance(draft, tree.Reference):
        return [replace(draft, cased=True)]
    raise _unfit(name, draft)


def _dashed(name: str, draft: Draft, _: Context) -> list[Draft]:
    """Every dash that begins a word as each of the five."""
    if not isinstance(draft, Words):
        raise _unfit(name, draft)
    if draft.encoded:
        raise ModifierError("write `windash` before the encoding: no dash is seen behind it")
    choices: list[list[str | tree.Wild | Placeholder]] = []
    forms = 1
    for part in draft.parts:
        if not isinstance(part, str):
            choices.append([part])
            continue
        texts = _DASH.split(part)
        forms *= len(DASHES) ** (len(texts) - 1)
        if forms > MAX_FORMS:
            raise ModifierError(f"`windash` makes more than {MAX_FORMS} forms of one value; use fewer dashes")
        between = product(DASHES, repeat=len(texts) - 1)
        choices.append([texts[0] + "".join(map("".join, zip(ds, texts[1:], strict=True))) for ds in between])
    return [replace(draft, parts=parts) for parts in product(*choices)]


# --- encodings -----------------------------------------------------------------------


def _bytes(name: str, draft: Draft) -> bytes:
    if not isinstance(draft, Words):
        raise _unfit(name, draft)
    text = draft.plain(name)
    if not text:
        raise ModifierError(f"`{name}` has nothing to encode; write a text")
    return text.encode() if draft.data is None else draft.data


def _utf16(name: str, draft: Draft, _: Context) -> list[Draft]:
    """The bytes of the text in an encoding of two bytes a character, shown as text as far as they are any."""
    if not isinstance(draft, Words):
        raise _unfit(name, draft)
    if draft.data is not None:
        raise ModifierError(f"`{name}` encodes a text that is encoded already; leave one of them out")
    encoding, mark = _ENCODINGS[name]
    if not draft.parts or any(isinstance(part, Placeholder) for part in draft.parts):
        message = "write `expand` before it" if draft.parts else "write a text"
        raise ModifierError(f"`{name}` has nothing to encode; {message}")
    parts = [part.encode(encoding) if isinstance(part, str) else part for part in draft.parts]
    shown = [part.decode("utf-8", "replace") if isinstance(part, bytes) else part for part in (mark, *parts)]
    data = b"".join(part for part in (mark, *parts) if isinstance(part, bytes))
    wild = any(isinstance(part, tree.Wild) for part in parts)
    return [replace(draft, parts=merged(shown), encoded=True, data=None if wild else data)]


def _base64(name: str, draft: Draft, _: Context) -> list[Draft]:
    """RFC 4648, section 4."""
    encoded = b64encode(_bytes(name, draft)).decode()
    return [Words((encoded,), draft.cased if isinstance(draft, Words) else False, encoded=True)]


def _base64_offset(name: str, draft: Draft, _: Context) -> list[Draft]:
    """The three forms a text takes inside a longer text in Base64, by its offset modulo three.

    The characters at either end that also carry bits of what stands before or after are left out.
    """
    data = _bytes(name, draft)
    forms: list[Draft] = []
    for offset in range(3):
        encoded = b64encode(b" " * offset + data).decode()
        end = (None, -3, -2)[(len(data) + offset) % 3]
        text = encoded[(0, 2, 3)[offset] : end]
        if not text:
            raise ModifierError(f"`{name}` of one byte could be anything; write a longer text")
        forms.append(Words((text,), draft.cased if isinstance(draft, Words) else False, encoded=True))
    return forms


# --- other kinds of value ------------------------------------------------------------


def _regex(name: str, draft: Draft, _: Context) -> list[Draft]:
    if not isinstance(draft, Written):
        raise _unfit(name, draft)
    return [Expression(draft.parts)]


def _flag(name: str, draft: Draft, _: Context) -> list[Draft]:
    if not isinstance(draft, Expression):
        raise _unfit(name, draft)
    return [replace(draft, flags=draft.flags | {_REGEX_FLAGS[name]})]


def _network(name: str, draft: Draft, _: Context) -> list[Draft]:
    if not isinstance(draft, Words):
        raise _unfit(name, draft)
    text = draft.plain(name)
    try:
        network = ip_network(text)
    except ValueError as error:
        try:
            meant = str(ip_network(text, strict=False))
        except ValueError:
            meant = "a network such as 10.0.0.0/8"
        raise ModifierError(f"Invalid CIDR expression: {error}; write {meant}") from error
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        four = int(network.network_address) & 0xFFFFFFFF
        network = ip_network((four, network.prefixlen - _MAPPED.prefixlen))
    return [tree.Network(network)]


def _exists(_: str, draft: Draft, context: Context) -> list[Draft]:
    if context.keyword:
        raise ModifierError("`exists` needs a field; write one before it")
    if not isinstance(draft, tree.Truth):
        raise _no_truth(draft)
    return [tree.Exists(draft.truth)]


def _no_truth(draft: Draft) -> ModifierError:
    """What to write for the words that YAML 1.1 took for true and false, and for anything else."""
    text = _shown(draft.parts) if isinstance(draft, Words) else ""
    meant = next((truth for truth, words in _TRUTHS.items() if (text or str(draft)).lower() in words), None)
    shown = f"the text {text!r}" if isinstance(draft, Words) else str(draft)
    advice = f"write {meant}" if meant else "write true if the field has to be there, false if not"
    return ModifierError(f"`exists` asks for true or false, not {shown}; {advice}, without quotes")


def _compared(name: str, draft: Draft, _: Context) -> list[Draft]:
    if isinstance(draft, tree.Number):
        return [tree.Compare(name, draft.number)]
    if isinstance(draft, tree.TimePart) and draft.operator == "eq":
        return [replace(draft, operator=name)]
    raise _unfit(name, draft)


def _time_part(name: str, draft: Draft, _: Context) -> list[Draft]:
    if not isinstance(draft, tree.Number):
        raise _unfit(name, draft)
    least, most = _RANGES[name]
    if not isinstance(draft.number, int) or not least <= draft.number <= most:
        raise ModifierError(
            f"`{name}` is a whole number from {least} to {most}, never {draft.number}; correct it"
        )
    return [tree.TimePart(name, draft.number)]


def _reference(name: str, draft: Draft, context: Context) -> list[Draft]:
    if not isinstance(draft, Words):
        raise _unfit(name, draft)
    if context.keyword or not draft.plain(name):
        raise ModifierError("`fieldref` compares two fields; name both")
    return [tree.Reference(context.field_of(draft.plain(name)), cased=draft.cased)]


def _expanded(name: str, draft: Draft, context: Context) -> Sequence[Draft]:
    if not isinstance(draft, Words | Written):
        raise _unfit(name, draft)
    return expanded(draft, context)


def _unchanged(_name: str, draft: Draft, _: Context) -> list[Draft]:
    """`all` and `neq` are about all values of a line: the line knows."""
    return [draft]


_COMPARE: Final = ("lt", "lte", "gt", "gte")
_ALONE: Final = ("re", "cidr", "exists")
MODIFIERS: Final[Mapping[str, Callable[[str, Draft, Context], Sequence[Draft]]]] = {
    **dict.fromkeys(("all", "neq"), _unchanged),
    **dict.fromkeys(("contains", "startswith", "endswith"), _placed),
    **dict.fromkeys(_REGEX_FLAGS, _flag),
    **dict.fromkeys(_ENCODINGS, _utf16),
    **dict.fromkeys(_COMPARE, _compared),
    **dict.fromkeys(_RANGES, _time_part),
    "base64": _base64,
    "base64offset": _base64_offset,
    "cased": _cased,
    "cidr": _network,
    "exists": _exists,
    "expand": _expanded,
    "fieldref": _reference,
    "re": _regex,
    "windash": _dashed,
}
