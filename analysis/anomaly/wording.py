"""The one sentence that a finding says."""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z@][\w.@]*)\}")
_UNITS: Final = ("B", "KB", "MB", "GB", "TB", "PB")
_KILO: Final = 1000
_MANY: Final = 100
_PERCENT: Final = frozenset({"stability", "peers_alike", "percentile"})
# Beyond this a robust z says "never before" and no more; the figure would only look exact.
_TOP_Z: Final = 20


def sentence(template: str, values: Mapping[str, Any], *, is_bytes: bool) -> str:
    """`template` with each `{name}` replaced by what `values` has for it, "unknown" for nothing.

    Args:
        template: the rule's `why`.
        values: a hit: quantities, words and group columns.
        is_bytes: whether `value` and the medians are bytes.
    """

    def word(match: re.Match[str]) -> str:
        name = match[1]
        value = values.get(name)
        sized = is_bytes and (name == "value" or name.endswith("_median"))
        return size(value) if (sized or name == "amount") and value is not None else _text(name, value)

    return _PLACEHOLDER.sub(word, template)


def size(value: float) -> str:
    """Bytes in decimal units: 1.5 GB."""
    amount, step = float(value), 0
    while amount >= _KILO and step < len(_UNITS) - 1:
        amount, step = amount / _KILO, step + 1
    return f"{amount:.0f} B" if step == 0 else f"{amount:.1f} {_UNITS[step]}"


def _text(name: str, value: object) -> str:
    if value is None:
        return "not known yet" if name.endswith("_median") else "unknown"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return _number(name, value)
    return str(value)


def _number(name: str, value: float) -> str:
    if name in _PERCENT:
        return f"{value * (1 if name == 'percentile' else 100):.0f} %"
    if name == "robust_z" and value > _TOP_Z:
        return f"more than {_TOP_Z}"
    if math.isinf(value):
        return "beyond measure"
    return f"{value:.0f}" if value.is_integer() or abs(value) >= _MANY else f"{value:.1f}"
