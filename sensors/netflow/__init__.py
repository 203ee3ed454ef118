"""NetFlow v5, v6, v7, v9 and IPFIX as routers, firewalls and probes export them, in raw payloads.

A file has the payloads of UDP packets one after another (`nc -lu 2055 > flows.dat`), or an IPFIX file after
RFC 5655; exports inside a capture are read by `sensors.capture` through `sensors.netflow.captured`. RFC 3954
(v9), RFC 7011 (IPFIX), RFC 5103 (biflows), Cisco's manual (v5 to v7). Mapping after Filebeat's netflow input.

Templates are shared by the files of a folder: records whose template this file does not have are read by
that of the neighbour whose name is most like this one's, if it fits. So a template that was saved on its own
does its work when it lies beside the data, whatever order the files are read in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from sensors.sensor import Source

_VERSIONS: Final = (b"\x00\x05", b"\x00\x06", b"\x00\x07", b"\x00\x09", b"\x00\x0a")


class NetFlow:
    """The sensor."""

    name: Final = "netflow"

    def sniff(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content says it all
        """Whether an export's header stands first, with sets or a count that go with it."""
        if head[:2] not in _VERSIONS or b"\0" not in head[2:64]:  # no header is without a zero; text is
            return False
        from sensors.netflow.reading import begins  # noqa: PLC0415 - compiled code, only for what may be one

        return begins(head)

    def read(self, source: Source) -> Iterator[pl.DataFrame]:
        """The flows in the order of their records; `log.offset` is a record's first octet."""
        from sensors.netflow.reading import read  # noqa: PLC0415 - see above

        return read(source)


SENSOR: Final = NetFlow()
