"""How fast each sensor reads, beside a peer that does less with the same bytes; run it on an idle machine.

    python tests/bench/read.py [MEGABYTES] [NAME...]

The scenario's logs are repeated to the size asked for. A row says events and megabytes a CPU second, and
the ratio of the sensor's CPU time to its peer's in the same run: orjson for JSON (values only, no columns),
Polars' CSV reader for tab-separated logs, one regular expression a line for text, one pass over the bytes
(SHA-256) for captures.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import polars as pl

from sensors import files, schema
from sensors.sensor import Source, claims

REPO = Path(__file__).resolve().parents[2]
SCENARIO = REPO / "samples" / "scenario"
SYSLOG = re.compile(rb"^(\S+ +\d+ [\d:]+) (\S+) (.*)$")


def orjson_lines(data: bytes) -> None:
    for line in data.splitlines():
        if line.startswith(b"{"):
            orjson.loads(line)


def csv(data: bytes) -> None:
    pl.read_csv(
        data, separator="\t", has_header=False, quote_char=None, comment_prefix="#", infer_schema=False
    )


def regular_expression(data: bytes) -> None:
    for line in data.splitlines():
        SYSLOG.match(line)


def digest(data: bytes) -> None:
    hashlib.sha256(data).digest()


INPUTS: dict[str, tuple[str, Callable[[bytes], None]]] = {
    "okta": ("okta/system-2026-10-26.ndjson.gz", orjson_lines),
    "windows, Sysmon": ("windows/sysmon.ndjson.gz", orjson_lines),
    "windows, Security": ("windows/security.ndjson.gz", orjson_lines),
    "github": ("github/audit.ndjson", orjson_lines),
    "zeek conn, TSV": ("zeek/conn.log.gz", csv),
    "zeek dns, JSON": ("zeek/dns.log.gz", orjson_lines),
    "cisco_asa": ("vpn/asa.log.gz", regular_expression),
    "squid": ("proxy/squid-access.log.gz", regular_expression),
    "capture": ("../capture/conversation.pcap", digest),
}


def repeated(path: Path, size: int) -> bytes:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if path.suffix == ".pcap":
        head, packets = data[:24], data[24:]
        return head + packets * max(1, size // len(packets))
    return data * max(1, size // len(data))


def cpu(work: Callable[[], object]) -> tuple[float, object]:
    begin = time.process_time()
    done = work()
    return time.process_time() - begin, done


def read(path: Path) -> int:
    count = 0
    for source in files.sources(path):
        assert isinstance(source, Source), source
        (sensor,) = claims(source.head, source.name)
        count += sum(schema.conform(frame).height for frame in sensor.read(source))
        assert not source.unread, source.unread[:3]
    return count


def main() -> None:
    size = int(sys.argv[1]) << 20 if len(sys.argv) > 1 else 64 << 20
    wanted = sys.argv[2:] or list(INPUTS)
    print(f"{'what':20} {'events/CPU s':>13} {'MB/CPU s':>9} {'times its peer':>15}")
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted:
            where, peer = INPUTS[name]
            path = Path(folder, Path(where).name.removesuffix(".gz"))
            data = repeated(SCENARIO / where, size)
            small = Path(folder, "small-" + path.name)
            small.write_bytes(repeated(SCENARIO / where, 1))
            read(small)  # compiled code is loaded before anything is measured
            path.write_bytes(data)
            spent, events = cpu(lambda path=path: read(path))
            peer_spent, _ = cpu(lambda peer=peer, data=data: peer(data))
            rate = f"{int(str(events)) / spent:13,.0f} {len(data) / 1e6 / spent:9.1f}"
            print(f"{name:20} {rate} {spent / peer_spent:15.1f}", flush=True)


if __name__ == "__main__":
    main()
