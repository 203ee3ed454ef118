"""Cuts a stream of bytes into JSON objects, and finds the way back after a broken one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from sensors.reading import json_scan
from sensors.reading.framing import LINE_BYTES

if TYPE_CHECKING:
    from sensors.reading.json_scan import Array

_ROOM: Final = 65_536

_VALUE = r'(?:"(?:[^"\\]|\\.)*"|[-+.\w]+|\{[^{}]*\})'
_META = (
    r'"(?:@odata\.\w+|kind|etag|next\w*|took|timed_out|_shards|_scroll_id|max_score|(?:total_?)?count|total'
    r'|status|success|cursor|has_more|pagination|start|limit|length|_links|chunk_size|meta|metadata|paging|page|links|summary)"'
)
# A page, as far as its first record: what services put around the array of records, then that array.
PAGE: Final = (
    rf'^\s*\{{\s*(?:{_META}\s*:\s*{_VALUE}\s*,\s*|"(?:hits|data|_embedded)"\s*:\s*\{{\s*)*'
    r'"(?:value|[Rr]ecords|[Ee]vents|logs|items|[Rr]esults|data|hits|entries|rows|alerts|activities|entities|logins'
    r'|operation_logs|activity_logs|Report_Entry)"\s*:\s*\[\s*[{\]]'
)
_PAGE_BYTES = re.compile(PAGE.removeprefix("^").encode())
_MEMBER = re.compile(rb'"(?:[^"\\]|\\.)*"\s*:\s*')
_FIRST_KEY = re.compile(rb'\{\s*"(?:[^"\\]|\\.)*"')
_OPENS_LINE = re.compile(rb"\n([ \t]*)(?=[{\[])")
_LOOK_AHEAD: Final = 1 << 16


def after_page_opens(blob: bytes) -> int:
    """Where the first record of the page `blob` begins; 0 if it is no page."""
    page = _PAGE_BYTES.match(blob)
    return page.end() - 1 if page else 0


_REASONS: Final = {
    json_scan.INCOMPLETE: "the record ends before its JSON does",
    json_scan.MALFORMED: "the record is not valid JSON",
    json_scan.GARBAGE: "no JSON object; skipped up to where one begins a line",
}
_TOO_LONG = f"no record is this long (more than {LINE_BYTES >> 20} MiB); it was skipped"


@dataclass(slots=True)
class Cutter:
    """Cuts a stream of bytes into objects; `feed` is given what was left over and what comes next.

    Attributes:
        next_start: after something broken, what the next record's beginning looks like; None otherwise.
        in_page: whether a page was opened: what follows its array are no records.
        one_line: whether no line end was met so far.
        column: how far from the start of its line the first byte fed next stands.
        broken: where in the bytes fed last something broken starts, and what is wrong with it.
    """

    next_start: re.Pattern[bytes] | None = None
    in_page: bool = False
    one_line: bool = True
    column: int = 0
    broken: list[tuple[int, str]] = field(default_factory=list)

    def take_broken(self) -> list[tuple[int, str]]:
        """What was found broken since the last call: start in the bytes fed last, reason."""
        taken, self.broken = self.broken, []
        return taken

    def feed(self, blob: bytes, *, final: bool, at: int = 0) -> tuple[Array, int]:
        """Cut `blob`.

        Args:
            blob: what was left over, and what comes next in the stream.
            final: whether the stream ends with it.
            at: where to begin; beyond 0, `blob` is a page that has been opened.

        Returns:
            Start and end of each object in it; from where on it is left over, to be fed again.
        """
        data = np.frombuffer(blob, np.uint8)
        room = np.empty((_ROOM, 2), np.int64)
        found: list[Array] = []
        self.in_page = self.in_page or at > 0
        self.one_line = self.one_line and b"\n" not in blob
        while True:
            if self.next_start is not None:
                resumed = self.next_start.search(blob, at)
                if resumed is None:
                    at = max(blob.rfind(b"\n"), at) if not final else len(blob)
                    break
                at, self.next_start = resumed.end(), None
            count, at, why = json_scan.cut(data, at, room)
            found.append(room[:count].copy())
            if why == json_scan.DONE:
                break
            if why != json_scan.FULL:
                step = self._step(blob, data, at, why, final=final)
                if step is None:
                    break
                at = step
        self.column = self._column(blob, at)
        return np.concatenate([np.empty((0, 2), np.int64), *found]), at

    def _column(self, blob: bytes, at: int) -> int:
        """How far from the start of its line `blob[at]` stands."""
        newline = blob.rfind(b"\n", 0, at)
        return at - newline - 1 if newline >= 0 else self.column + at

    def _step(self, blob: bytes, data: Array, at: int, why: int, *, final: bool) -> int | None:
        """Where to go on from `at`, where there is no whole object; None to wait for more."""
        page = _PAGE_BYTES.match(blob, at) if why != json_scan.GARBAGE else None
        if page:
            self.in_page = True
            return page.end() - 1
        if why == json_scan.GARBAGE and self.in_page and blob[at : at + 1] == b'"':
            member = _MEMBER.match(blob, at)
            stop = json_scan.value_end(data, member.end(), len(data)) if member else json_scan.INCOMPLETE
            if stop >= 0:
                return stop
            why = stop
        short = len(blob) - at <= LINE_BYTES
        if why == json_scan.INCOMPLETE and short and not final:
            return None
        self.broken.append((at, _REASONS[why] if short or why != json_scan.INCOMPLETE else _TOO_LONG))
        self.next_start = self._way_back(blob, at, why)
        return at + 1

    def _way_back(self, blob: bytes, at: int, why: int) -> re.Pattern[bytes]:
        """What the beginning of the next record looks like after the broken one at `at`.

        It stands in the same column of a later line; where there was none, in the least column that a line
        beginning with a bracket has. Where everything is on one line, it begins with the same key.
        """
        key = _FIRST_KEY.match(blob, at)
        if self.one_line and key:
            return re.compile(rb"\}\s*,\s*(?=" + re.escape(key[0]) + rb")")
        column = self._column(blob, at)
        if why == json_scan.GARBAGE:
            indents = [len(found[1]) for found in _OPENS_LINE.finditer(blob, at, at + _LOOK_AHEAD)]
            if not indents:
                return _OPENS_LINE
            column = min(indents)
        return re.compile(rb"\n[ \t]{%d}(?=[{\[])" % column)
