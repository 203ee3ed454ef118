"""Broken captures, drawn by atheris: the container and packets, or one protocol's reader.

    pip install atheris; python tests/fuzz/captures.py packets [--minutes 10] [--kept FOLDER] [--from FOLDER]
    python tests/fuzz/captures.py NAME        (a protocol, as in sensors.capture.protocols)

Kernels run as Python here, so that an index outside of an array, or a number that overflows, is an error, and
atheris sees their branches. What must hold:

- `packets`: nothing raises; no packet ends behind the file; payloads lie inside of their packets; a walk that
  gives up says where, and the flows' tables take whatever came.
- a protocol: nothing raises, `fits` is a mask, events name rows that were given, and only those that fit; the
  event of an untouched row stays what it is whatever its neighbours say.

Inputs are the sample captures (or those of `--from`, a folder of captures), broken. Each different failure
is printed once and its input kept; fuzzing goes on to the end of the time.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import atheris
import numpy as np
import polars as pl

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "tests")]

import sensors.reading.text_views  # noqa: E402, F401 - compiled as it is imported, so not to be instrumented

with atheris.instrument_imports(include=["sensors.capture"], enable_loader_override=False):
    from sensors.capture import container, facts, fragments, walk
    from sensors.capture.conversations import OverTcp, OverUdp
    from sensors.capture.packet import IS_IP, PACKET_CELLS, PAYLOAD_AT, PAYLOAD_BYTES
    from sensors.capture.protocols import protocols

    protocols()  # imports them

for module in [each for name, each in sys.modules.items() if name.startswith("sensors.capture")]:
    for name, value in list(vars(module).items()):
        if hasattr(value, "py_func"):  # the compiled form would know nothing of what atheris put into it
            setattr(module, name, value.py_func)

import slow_conversations as slow  # noqa: E402 - what is fuzzed is instrumented on import

SAMPLES = REPO / "samples" / "capture"
MOST = 3000  # bytes of a capture
ROWS = 6  # conversations a reader gets at a time
LONGEST = 1500  # bytes of each


def broken(data: atheris.FuzzedDataProvider, content: bytes) -> bytes:
    """A copy with some bytes flipped, cut, doubled or put in."""
    made = bytearray(content)
    for _ in range(data.ConsumeIntInRange(0, 8)):
        at = data.ConsumeIntInRange(0, len(made))
        kind = data.ConsumeIntInRange(0, 6)
        if kind == 0 and at < len(made):
            made[at] = data.PickValueInList([0, 1, 4, 0x45, 0x60, 0x7F, 0x80, 0xFF])
        elif kind == 1 and at < len(made):
            made[at] ^= 1 << data.ConsumeIntInRange(0, 7)
        elif kind == 2:
            del made[at : at + data.ConsumeIntInRange(1, 60)]
        elif kind == 3:
            made[at:at] = data.ConsumeBytes(data.ConsumeIntInRange(1, 12))
        elif kind == 4 and data.ConsumeBool():
            del made[at:]
        elif kind == 5:
            size = data.PickValueInList([2, 4])
            made[at : at + size] = data.PickValueInList(
                [b"\xff" * size, bytes(size), b"\x7f" + b"\xff" * (size - 1)]
            )
        else:
            made[at:at] = made[at : at + data.ConsumeIntInRange(1, 200)]
    return bytes(made)


class Packets:
    """A whole capture through the walk and `fragments.take`."""

    def __init__(self, captures: list[bytes]) -> None:
        self.captures = captures
        self.table = np.zeros((64, container.PACKET_COLUMNS), np.int64)
        self.slots, self.pool = fragments.begin()
        self.fresh = self.slots.copy()

    def judged(self, drawn: atheris.FuzzedDataProvider) -> tuple[bytes, str]:
        """The input, and what is wrong with it."""
        content = broken(drawn, drawn.PickValueInList(self.captures))
        if content[:4] not in container.MAGICS:
            return content, ""
        return content, self.wrong(content, link=drawn.ConsumeIntInRange(-1, 300), resume=drawn.ConsumeBool())

    def wrong(self, content: bytes, *, link: int, resume: bool) -> str:
        data = np.frombuffer(content, np.uint8)
        state, table = container.begin(data, resume=resume)
        if link >= 0 and link % 3 == 0 and not state[container.NEXT_GEN]:
            state[container.LINK_TYPE] = link
        self.slots[:] = self.fresh
        cells = np.zeros(PACKET_CELLS, np.int64)
        last = -1
        while state[container.STATUS] == container.GOING:
            count = walk.packets(data, state, table, self.table)
            for row in self.table[:count]:
                at, size = int(row[container.OFFSET]), int(row[container.CAPTURED])
                if size < 0 or at <= last or at + size > data.size:
                    return "a packet outside of its file"
                last = at
                if self.outside(data, row, cells):
                    return "a payload outside of its packet"
        facts.facts(data, state, table)
        facts.key_log(data, state, table)
        return ""

    def outside(self, data: Any, row: Any, cells: Any) -> bool:  # noqa: ANN401 - arrays
        if fragments.full(self.slots):
            fragments.empty(self.slots)
        at, size = int(row[container.OFFSET]), int(row[container.CAPTURED])
        link, moment = int(row[container.LINK]), int(row[container.TIME])
        if fragments.take(data, at, size, link, moment, cells, self.slots, self.pool) != IS_IP:
            return False
        place, length = int(cells[PAYLOAD_AT]), int(cells[PAYLOAD_BYTES])
        if place >= data.size and cells[39]:
            return bool(place - data.size + length > self.pool.size)
        return length < 0 or not at <= place <= place + length <= at + size


class Reader:
    """A protocol's reader over conversations of which one is broken and one is not."""

    def __init__(self, name: str, captures: list[Path]) -> None:
        self.readers = [each for each in protocols() if each.name == name]
        if not self.readers:
            raise SystemExit(f"no protocol {name}: {' '.join(sorted({each.name for each in protocols()}))}")
        self.streams: list[tuple[tuple[bytes, bytes], tuple[int, int]]] = []
        self.datagrams: list[tuple[bytes, tuple[int, int]]] = []
        for path in captures:
            tcp, udp = slow.flows(path)
            for flow in tcp:
                said = slow.said(flow, 0)[:LONGEST], slow.said(flow, 1)[:LONGEST]
                self.streams.append((said, (flow.ends[0][1], flow.ends[1][1])))
            for flow in udp:
                ports = flow.ends[0][1], flow.ends[1][1]
                self.datagrams += [(payload[:LONGEST], ports) for _, payload in islice(flow.datagrams, 4)]
        self.fitting = {id(each): self.mine(each) for each in self.readers}

    def mine(self, reader: OverTcp | OverUdp) -> list[Any]:
        """The conversations that are the reader's, or all if none is."""
        kept: list[Any] = self.streams if isinstance(reader, OverTcp) else self.datagrams
        found = [each for each in kept if self.fits(reader, [each])[0]]
        return found or kept

    @staticmethod
    def given(reader: OverTcp | OverUdp, rows: list[Any]) -> Any:  # noqa: ANN401 - Streams or Datagrams
        ports = [each[1] for each in rows]
        if isinstance(reader, OverTcp):
            return slow.streams_of([each[0] for each in rows], ports)
        return slow.datagrams_of([(number, 0, each[0]) for number, each in enumerate(rows)], ports)

    def fits(self, reader: OverTcp | OverUdp, rows: list[Any]) -> Any:  # noqa: ANN401 - an array
        return reader.fits(self.given(reader, rows))

    def judged(self, drawn: atheris.FuzzedDataProvider) -> tuple[bytes, str]:
        reader = drawn.PickValueInList(self.readers)
        kept = self.fitting[id(reader)]
        if not kept:
            return b"", ""
        good = drawn.PickValueInList(kept)
        rows = [good]
        for _ in range(drawn.ConsumeIntInRange(1, ROWS)):
            said, ports = drawn.PickValueInList(kept)
            if isinstance(reader, OverTcp):
                said = tuple(broken(drawn, each) for each in said)
            else:
                said = broken(drawn, said)
            rows.append((said, ports))
        return repr(rows).encode(), self.wrong(reader, rows)

    def wrong(self, reader: OverTcp | OverUdp, rows: list[Any]) -> str:
        given = self.given(reader, rows)
        mask = reader.fits(given)
        if mask.dtype != np.bool_ or len(mask) != len(rows):
            return "fits gives no mask"
        events = reader.events(given.only(mask)) if mask.any() else pl.DataFrame()
        if not events.height:
            return ""
        numbers = events["row"].to_numpy()
        if (numbers < 0).any() or (numbers >= mask.sum()).any():
            return "an event of a row that was not given"
        return self.changed(reader, rows, events) if mask[0] else ""

    def changed(self, reader: OverTcp | OverUdp, rows: list[Any], events: pl.DataFrame) -> str:
        """Whether the events of the first row, which is not broken, are other than without its neighbours."""
        alone = reader.events(self.given(reader, rows[:1]).only(np.array([True])))
        beside = events.filter(pl.col("row") == 0)
        shared = [name for name in alone.columns if name in beside.columns]
        if alone.height != beside.height or not alone.select(shared).equals(beside.select(shared)):
            return "the event of an untouched row changed by its neighbours"
        return ""


class Fuzzer:
    """Draws inputs until the time is over, and keeps those that something is wrong with."""

    def __init__(self, judge: Callable[[Any], tuple[bytes, str]], minutes: float, kept: Path) -> None:
        self.judge, self.kept = judge, kept
        self.ends = time.monotonic() + 60 * minutes
        self.seen: set[str] = set()
        self.inputs = 0

    def one(self, data: bytes) -> None:
        if time.monotonic() > self.ends:
            print(f"{self.inputs:,} inputs, {len(self.seen)} findings", flush=True)
            os._exit(1 if self.seen else 0)  # libFuzzer has no other way out that says so
        self.inputs += 1
        made = data
        try:
            made, wrong = self.judge(atheris.FuzzedDataProvider(data))
        except Exception as error:  # noqa: BLE001 - a failure of any kind is what is looked for
            ours = [each for each in traceback.extract_tb(error.__traceback__) if "sensors" in each.filename]
            where = f"{ours[-1].filename}:{ours[-1].lineno}" if ours else traceback.format_exc()
            wrong = f"{type(error).__name__}: {str(error)[:80]} at {where}"
        if wrong and wrong not in self.seen:
            self.seen.add(wrong)
            kept = self.kept / hashlib.sha256(made).hexdigest()[:16]
            kept.write_bytes(made)
            print(f"{wrong}\n    kept as {kept}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--kept", type=Path, default=Path("findings"))
    parser.add_argument("--from", type=Path, dest="folder", default=SAMPLES)
    wanted = parser.parse_args()
    wanted.kept.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("error", RuntimeWarning)  # numbers that overflow
    paths = sorted(
        each for each in wanted.folder.rglob("*.pcap*") if each.is_file() and each.stat().st_size < 1 << 20
    )
    if wanted.what == "packets":
        judge = Packets([path.read_bytes()[:MOST] for path in paths]).judged
    else:
        judge = Reader(wanted.what, paths).judged
    fuzzer = Fuzzer(judge, wanted.minutes, wanted.kept)
    atheris.Setup(
        [sys.argv[0], "-rss_limit_mb=6000", "-timeout=900", "-len_control=0", "-max_len=512"], fuzzer.one
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
