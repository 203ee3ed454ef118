"""The columns of what is found of HTTP/1.x messages: numbers, and the places of parts."""

from __future__ import annotations

from typing import Final

# Fields of which the place is kept, in this order, behind what stands in start lines and bodies.
FIELDS: Final = (
    "host", "user-agent", "referer", "content-type", "content-length", "transfer-encoding", "authorization",
    "proxy-authorization", "x-forwarded-for", "forwarded", "x-real-ip", "upgrade", "origin", "server",
    "location", "www-authenticate", "proxy-authenticate", "content-encoding", "content-disposition",
    "x-powered-by", "via", "sec-websocket-protocol",
)  # fmt: skip
PARTS: Final = ("method", "target", "phrase", "title", "body", *FIELDS)
METHOD, TARGET, PHRASE, TITLE, BODY = range(5)
FIRST: Final = 5  # of `FIELDS` among `PARTS`
LENGTH: Final = PARTS.index("content-length")
CODING: Final = PARTS.index("transfer-encoding")
NUMBERS: Final = ("row", "side", "at", "order", "version", "status", "bytes", "answers", "kept", "behind")
ROW, SIDE, AT, ORDER, VERSION, STATUS, BYTES, ANSWERS, KEPT, BEHIND = range(10)
