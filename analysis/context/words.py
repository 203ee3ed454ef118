"""The few words that HR systems use for how and as what somebody works, brought to one spelling."""

from __future__ import annotations

import re
from typing import Final

_BLANK: Final = frozenset({"", "-", "--", "n/a", "null", "(null)", "#n/a", "nan"})
_NO: Final = frozenset({"no", "n", "false", "0"})
_YES: Final = frozenset({"yes", "y", "true", "1"})


def value(cell: str) -> str | None:
    """The text of a cell, or None where it says that there is nothing."""
    text = cell.strip()
    return None if text.casefold() in _BLANK else text


def work_mode(text: str | None) -> str | None:
    """`remote`, `hybrid` or `onsite`; what is none of them stays as it is, in lower case."""
    if text is None:
        return None
    folded = text.casefold()
    if re.search(r"hybrid|flex|partial", folded):
        return "hybrid"
    if folded in _NO or re.search(
        r"on[- ]?site|not remote|non[- ]?remote|in[- ](?:office|person)|^office", folded
    ):
        return "onsite"
    if folded in _YES or re.search(r"remote|home|wfh|virtual|tele|distributed", folded):
        return "remote"
    return folded


def status(text: str | None) -> str | None:
    """`active`, `leave`, `pending` or `terminated`; what is none of them stays as it is, in lower case."""
    if text is None:
        return None
    folded = text.casefold()
    if folded in _NO or re.search(
        r"term|inactive|not active|separat|former|resign|left|retired|disabled|^t$", folded
    ):
        return "terminated"
    if re.search(r"leave|\bloa\b|suspend", folded):
        return "leave"
    if re.search(r"pending|pre-?hire|not started|onboarding|future", folded):
        return "pending"
    if folded in _YES or re.search(r"active|employed|current|enabled|^a$", folded):
        return "active"
    return folded


def employment_type(text: str | None) -> str | None:
    """`contractor`, `intern` or `employee`; what is none of them stays as it is, in lower case."""
    if text is None:
        return None
    folded = text.casefold()
    if re.search(
        r"contract|conting|consult|freelanc|vendor|agency|1099|c2c|corp[- ]to[- ]corp|external|temp|outsourc",
        folded,
    ):
        return "contractor"
    if re.search(r"\bintern\b|internship|trainee|apprentice|student", folded):
        return "intern"
    if re.search(r"employee|full|part|regular|permanent|\bfte\b|w-?2|salar|hourly|^ft$|^pt$|staff", folded):
        return "employee"
    return folded


def without_street(address: str) -> str:
    """A postal address without street, unit and postal code: "12 Oak St, Tulsa, OK 74104" → "Tulsa, OK"."""
    parts = [part.strip() for part in re.split(r"[,\n;]", address) if part.strip()]
    kept = []
    for part in parts:
        if re.match(r"(?i)\d+\s|#|(?:apt|suite|ste|unit|floor|fl|p\.?\s?o\.?\s?box|c/o)\b", part):
            continue
        without_code = re.sub(r"\s*\b(?:\d{5}(?:-\d{4})?|[A-Z]\d[A-Z] ?\d[A-Z]\d)$", "", part).strip()
        if without_code:
            kept.append(without_code)
    return ", ".join(kept)
