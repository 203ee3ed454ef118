"""Windows event logs: EVTX, event XML, evtx_dump's JSON and Winlogbeat's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from sensors.reading import framing, json_table
from sensors.reading.ahead import ahead
from sensors.windows import event_json, event_xml, evtx_chunks, titles
from sensors.windows.mapping import mapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from sensors.sensor import Source

_ROWS: Final = 10_000  # Windows' events are wide: some hundred columns
_PLACE: Final = ("log.offset", "log.file.line")  # an EVTX record is found again by its number instead
# An event without Windows' namespace is taken too, as forwarders and wevtutil's excerpts leave it out.
_XML: Final = re.compile(r"<Event(?:\s[^>]*)?>\s*<System>\s*<Provider\s")


class Windows:
    """Events of any channel, told apart by provider and id."""

    name: str = "windows"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - a file's name says nothing here
        """Whether content that begins with `head` holds Windows events."""
        if head.startswith(evtx_chunks.MAGIC):
            return True
        head = titles.blanked(head)
        text = framing.text_head(head).lstrip()
        if _is_xml(text):
            return True
        return text.startswith(("{", "[")) and json_table.mostly(head, _is_event)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The events in input order, in bounded batches; columns are names of the schema."""
        source = titles.without(source)
        dropped: tuple[str, ...] = ()
        if source.head.startswith(evtx_chunks.MAGIC):
            frames, columns = evtx_chunks.events(source), event_json.columns
            dropped = _PLACE
        elif _is_xml(framing.text_head(source.head).lstrip()):
            frames, columns = event_xml.events(source), event_xml.columns
        else:
            frames, columns = json_table.records(source), event_json.columns
        for events in ahead(columns(part, source) for frame in frames for part in frame.iter_slices(_ROWS)):
            if events.height and (mapped_events := mapped(events, source)).height:
                yield mapped_events.drop(dropped)


def _is_xml(text: str) -> bool:
    """Whether text holds event XML: from its beginning, or after the rest of an event that was cut off."""
    found = _XML.search(text)
    return found is not None and (text.startswith("<") or "</Event>" in text[: found.start()])


def _is_event(value: dict[str, Any]) -> bool:
    """Whether a JSON object is an event of evtx_dump or Winlogbeat."""
    event = value.get("Event")
    if isinstance(event, dict):
        system = event.get("System")
        return isinstance(system, dict) and "EventID" in system
    winlog = value.get("winlog")
    if isinstance(winlog, dict):
        return not winlog.keys().isdisjoint(("event_id", "channel", "provider_name"))
    return not value.keys().isdisjoint(("winlog.event_id", "winlog.channel", "winlog.provider_name"))


SENSOR: Final = Windows()
