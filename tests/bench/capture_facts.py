"""How well captures are read: facts that other tools publish of captures, against ours.

    python tests/bench/capture_facts.py INDEX [--only REGEX] [--show KIND] [--most 20]

INDEX is an `index.json` whose `entries` name a capture and what nDPI, Zeek or Arkime said of it. A fact is a
kind, whose it is (the endpoints of a flow), and a value; a row says how many of the others' facts we have
(recall), and how many of ours the others have, where they tell all of a kind (precision). Facts that another
tool guesses (the protocol of an application) are not among them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO)]

from sensors import schema  # noqa: E402 - found by the line above
from sensors.capture import SENSOR  # noqa: E402 - found by the line above
from sensors.sensor import HEAD_BYTES, Source  # noqa: E402 - found by the line above

Facts = dict[str, Counter[Any]]
WHOLE = {"ndpi": {"flow", "wire"}, "zeek": {"flow", "bytes", "state", "history", "sni"}, "arkime": set[str]()}


def read(path: Path) -> pl.DataFrame:
    """The events of a capture."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    made = datetime(2027, 1, 1, tzinfo=UTC)
    source = Source(
        str(path), path.name, "0" * 64, head, ZoneInfo("UTC"), made, lambda: path.open("rb"), path
    )
    frames = [schema.conform(frame) for frame in SENSOR.read(source)]
    for lost in source.unread:
        if "defect" in lost.reason:
            print(f"{path.name}: {lost.reason}")
    return pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()


def ends(one: Any, other: Any, there: Any, back: Any) -> tuple[Any, ...]:  # noqa: ANN401 - numbers or texts
    """Endpoints in an order of their own, and what went each way."""
    first, second = ((ip_address(end[0]).compressed, int(end[1] or 0)) for end in (one, other))
    return (first, second, there, back) if first <= second else (second, first, back, there)


def ours(frame: pl.DataFrame) -> Facts:
    """The facts of our events."""
    found: Facts = defaultdict(Counter)
    for whole in frame.iter_rows(named=True):
        row = {name: value for name, value in whole.items() if value is not None}
        one = row.get("source.ip"), row.get("source.port")
        other = row.get("destination.ip"), row.get("destination.port")
        if row["event.dataset"] in ("capture.flow", "capture.tunnel"):
            kind = row["network.transport"].removeprefix("ipv6-")
            for name, both in (
                ("flow", ("source.packets", "destination.packets")),
                ("bytes", ("source.bytes", "destination.bytes")),
                ("wire", ("capture.flow.source.wire_bytes", "capture.flow.destination.wire_bytes")),
            ):
                found[name][kind, *ends(one, other, *(row[each] for each in both))] += 1
            begun = (one[0], other[0], one[1] or 0, other[1] or 0)
            found["state"][begun, row["capture.flow.state"]] += 1
            found["history"][begun, row.get("capture.flow.history", "-")] += 1
            continue
        for name, field in FIELDS.items():
            value = row.get(field)
            for each in value if isinstance(value, list) else [value]:
                if each:
                    found[name][str(each).lower()] += 1
    return found


FIELDS = {
    "sni": "tls.client.server_name",
    "ja3": "tls.client.ja3",
    "ja4": "capture.tls.ja4",
    "ja3s": "tls.server.ja3s",
    "certificate": "tls.server.hash.sha1",
    "subject": "tls.server.subject",
    "question": "dns.question.name",
    "host": "url.domain",
    "agent": "user_agent.original",
    "hassh": "capture.ssh.hassh",
    "hassh server": "capture.ssh.hassh_server",
    "dhcp fingerprint": "capture.dhcp.fingerprint",
    "cookie": "capture.rdp.cookie",
}  # fmt: skip


def of_ndpi(expected: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for flow in expected["flows"]:
        one, other = (flow["src"], flow["sport"]), (flow["dst"], flow["dport"])
        kind = flow["l4"].lower().removesuffix("v6")
        yield "flow", (kind, *ends(one, other, flow["c2s_pkts"], flow["s2c_pkts"]))
        yield "wire", (kind, *ends(one, other, flow["c2s_bytes"], flow["s2c_bytes"]))
        over = flow["proto"].split(".")[0]
        if flow.get("host") and over in ("TLS", "QUIC", "DTLS"):
            yield "sni", flow["host"].lower()
        if flow.get("host") and over in ("DNS", "MDNS", "LLMNR"):
            yield "question", flow["host"].lower()
        for name, field in (
            ("ja3", "ja3"),
            ("ja4", "ja4"),
            ("hassh", "hassh_c"),
            ("hassh server", "hassh_s"),
        ):
            if flow.get(field):
                yield name, flow[field].lower()
        if flow.get("cert_sha1"):
            yield "certificate", flow["cert_sha1"].replace(":", "").lower()
        if flow.get("dhcp_fp"):
            yield "dhcp fingerprint", flow["dhcp_fp"]


def of_zeek(expected: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    test = next(iter(expected["tests"].values()))
    for row in test["logs"].get("conn.log", []):
        if "orig_pkts" not in row:
            continue
        kind = row["proto"]
        ported = kind in ("tcp", "udp")
        one = row["id.orig_h"], row["id.orig_p"] if ported else 0
        other = row["id.resp_h"], row["id.resp_p"] if ported else 0
        yield "flow", (kind, *ends(one, other, int(row["orig_pkts"]), int(row["resp_pkts"])))
        yield "bytes", (kind, *ends(one, other, int(row["orig_ip_bytes"]), int(row["resp_ip_bytes"])))
        begun = (one[0], other[0], int(one[1]), int(other[1]))
        yield "state", (begun, row["conn_state"])
        yield "history", (begun, row.get("history", "-"))
    for row in test["logs"].get("ssl.log", []):
        if row.get("server_name"):
            yield "sni", row["server_name"].lower()
    for row in test["logs"].get("dns.log", []):
        if row.get("query"):
            yield "question", row["query"].lower()


def of_arkime(expected: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for one in expected.get("sessions", []):
        for name in ("ja3", "ja4", "ja3s"):
            for value in one.get("tls", {}).get(name, []):
                yield name, value.lower()
        asked = one.get("dns", [])
        for each in asked if isinstance(asked, list) else [asked]:
            for value in each.get("host", []) if isinstance(each.get("host"), list) else []:
                yield "question", value.lower()


OF = {"ndpi": of_ndpi, "zeek": of_zeek, "arkime": of_arkime}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("--only", default=".")
    parser.add_argument("--show", default="")
    parser.add_argument("--most", type=int, default=20)
    given = parser.parse_args()
    hits, theirs, mine = Counter[Any](), Counter[Any](), Counter[Any]()
    for entry in json.loads(given.index.read_text())["entries"]:
        tool = entry["id"].split(":")[0]
        if tool not in OF or not re.search(given.only, entry["id"]) or not _is_capture(entry["file"]):
            continue
        expected: Facts = defaultdict(Counter)
        for kind, fact in OF[tool](entry["expected"]):
            expected[kind][fact] += 1
        found = ours(read(given.index.parent / entry["file"]))
        for kind, told in expected.items():
            counted = kind in WHOLE[tool]
            facts = told if counted else Counter(dict.fromkeys(told, 1))
            got = facts & (found[kind] if counted else Counter(dict.fromkeys(found[kind], 1)))
            hits[tool, kind] += got.total()
            theirs[tool, kind] += facts.total()
            mine[tool, kind] += found[kind].total() if kind in WHOLE[tool] else got.total()
            if kind == given.show:
                for fact, count in list((facts - got).items())[: given.most]:
                    print(f"{entry['file']}: lacks {count} of {fact}")
                for fact, count in list((found[kind] - got).items())[
                    : given.most if kind in WHOLE[tool] else 0
                ]:
                    print(f"{entry['file']}: has {count} too many of {fact}")
    for tool, kind in sorted(theirs):
        count, right = theirs[tool, kind], hits[tool, kind]
        recall, precision = right / count, right / max(1, mine[tool, kind])
        print(f"{tool:8} {kind:18} {count:6} facts  recall {recall:6.1%}  precision {precision:6.1%}")


def _is_capture(name: str) -> bool:
    return not name.endswith((".log", ".json", ".csv", ".txt"))


if __name__ == "__main__":
    main()
