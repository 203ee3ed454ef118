"""Broken copies of every sensor's samples, drawn by atheris along the paths that they make the code take.

    pip install atheris; python tests/fuzz/each_sensor.py FAMILY [--minutes 10] [--kept FOLDER]

A family is one of those below, told by the form of the sample: `json`, `delimited`, `lines`, `binary`. An
input is a sample with some of its bytes flipped, cut, put in, spliced with another sample, or in another
encoding; it is read as a hunt reads it. What must hold of any of them:

- no sensor fails: nothing is named as a defect, nothing is raised;
- every event has a time in UTC or is named as having none, a data set, and its place inside the file;
- a file that a sensor claims, and of which nothing was read, is named: no silence.

Each different failure is printed once and its input kept; fuzzing goes on to the end of the time.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import atheris

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO), str(REPO / "tests")]

# Numba compiles functions as they are written; it knows nothing of what atheris would put into them.
COMPILED = [
    ".".join(path.relative_to(REPO).with_suffix("").parts).removesuffix(".__init__")
    for path in (REPO / "sensors").rglob("*.py")
    if re.search(r"numba|import .*\bkernel\b", path.read_text())
]
with atheris.instrument_imports(include=["sensors"], exclude=COMPILED, enable_loader_override=False):
    from analysis import intake
    from sensors import carriers, sensor
    from sensors.sensor import Source

from test_sniff import LOGS, SAMPLES  # noqa: E402 - the modules above are instrumented on import

FAMILIES = ("json", "delimited", "lines", "binary")
MOST = 60_000  # bytes of a sample: what a format may say is in its first records
JUNK = (
    b'"', b",", b"\n", b"\r\n", b"\0", b"{", b"}", b"[", b"]", b"\\", b"=", b"|", b" ", b"\t", b"\xff\xfe",
    b"\xc3", b"\xef\xbb\xbf", b"9" * 25, b"-1", b"NaN", b"null", b"1e999", b"2026-02-30T25:61:61Z",
    b"2026-03-29T02:30:00", b"1969-12-31T23:59:59Z", b"9999-12-31T23:59:59Z", b"253402300800", b"<191>",
    b"Feb 30 25:61:61 ", b"Dec 31 23:59:60 ", b"::ffff:1.2.3.4", b"999.1.1.1", "\u2028é😀".encode(),
)  # fmt: skip
ENCODINGS = ("utf-16", "utf-16-be", "latin-1", "utf-8-sig", "cp1252")


def family(path: Path, content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return "binary"
    if "\0" in text:
        return "binary"
    if text.lstrip("\ufeff \r\n")[:1] in "{[":
        return "json"
    return "delimited" if path.suffix in (".csv", ".tsv") or "\t" in text[:200] else "lines"


def samples(wanted: str) -> list[tuple[str, bytes]]:
    found = []
    for path in LOGS:
        content = path.read_bytes()
        if "scenario" not in path.parts and family(path, content) == wanted:
            found.append((str(path.relative_to(SAMPLES)), content[:MOST]))
    return found


def broken(data: atheris.FuzzedDataProvider, content: bytes, others: list[tuple[str, bytes]]) -> bytes:
    made = bytearray(content)
    for _ in range(data.ConsumeIntInRange(0, 6)):
        at = data.ConsumeIntInRange(0, len(made))
        kind = data.ConsumeIntInRange(0, 6)
        if kind == 0 and at < len(made):
            made[at] ^= 1 << data.ConsumeIntInRange(0, 7)
        elif kind == 1:
            made[at : at + data.ConsumeIntInRange(1, 400)] = b""
        elif kind == 2:
            made[at:at] = data.PickValueInList(list(JUNK))
        elif kind == 3:
            made[at:at] = data.ConsumeBytes(data.ConsumeIntInRange(1, 12))
        elif kind == 4:
            del made[at:]
        elif kind == 5:
            other = data.PickValueInList(others)[1]
            made[at:] = other[data.ConsumeIntInRange(0, len(other)) :]
        else:
            made[at : at + 1] = made[at : at + 1] * data.ConsumeIntInRange(2, 300)
    if data.ConsumeIntInRange(0, 19) == 0:
        text = bytes(made).decode("utf-8", "replace")
        made[:] = text.encode(data.PickValueInList(list(ENCODINGS)), "replace")
    return bytes(made)


def source_of(content: bytes, name: str) -> Source:
    return Source(
        path=name,
        name=Path(name).name,
        sha256="0" * 64,
        head=content[: sensor.HEAD_BYTES],
        zone=ZoneInfo("Europe/Berlin"),
        modified=datetime(2027, 1, 2, tzinfo=UTC),
        opener=lambda: io.BytesIO(content),
    )


def judged(reader: sensor.Sensor, content: bytes, name: str, *, rows: bool) -> str:
    """What is wrong with how a sensor read the content; "" if nothing is."""
    source = source_of(content, name)
    count = 0
    for frame in intake.events(source, reader):
        count += frame.height
        if frame["event.dataset"].null_count():
            return "an event without event.dataset"
        if "log.offset" in frame.columns:
            offsets = frame["log.offset"]
            # Transcoded text may be longer than the bytes it was made of.
            if (offsets < 0).any() or (offsets > 4 * len(content)).any():
                return "an event outside of its file"
    defects = [each.reason for each in source.unread if "defect" in each.reason]
    if defects:
        return defects[0]
    if not count and not source.unread and not of_nothing(content, rows=rows) and carriers.claims(source):
        return "nothing read, nothing named"  # what no one claims is named by intake
    return ""


def of_nothing(content: bytes, *, rows: bool) -> bool:
    """Whether content is blank, or the header (or preamble) of a table that has no rows."""
    text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
    lines = [line for line in re.split("[\r\n]", text.replace("\0", "").lstrip("\ufeff")) if line.strip()]
    told = [line.strip() for line in lines if not line.startswith("QResult")]  # Windows DHCP
    header = rows and sum(len(re.findall("[,\t;|]", line)) > 1 for line in told) <= 1
    return header or all(line.startswith("#") for line in lines)


class Fuzzer:
    """Draws inputs of a family until the time is over, and keeps those that something is wrong with."""

    def __init__(self, wanted: str, minutes: float, kept: Path) -> None:
        self.samples = samples(wanted)
        self.rows = wanted == "delimited"
        self.kept = kept
        self.ends = time.monotonic() + 60 * minutes
        self.seen: dict[str, str] = {}
        self.inputs = 0
        self.readers = {name: carriers.claims(source_of(content, name))[0] for name, content in self.samples}

    def one(self, data: bytes) -> None:
        if time.monotonic() > self.ends:
            self.done()
        self.inputs += 1
        drawn = atheris.FuzzedDataProvider(data)
        name, content = self.samples[drawn.ConsumeIntInRange(0, len(self.samples) - 1)]
        made = broken(drawn, content, self.samples)
        try:
            reader = self.readers[name]
            if drawn.ConsumeIntInRange(0, 7) == 0:  # looking is slow, as every sensor does it
                reader = next(iter(carriers.claims(source_of(made, name))), reader)
            wrong = judged(reader, made, name, rows=self.rows)
            place = f"{reader.name}: {wrong}"
        except Exception as error:  # noqa: BLE001 - a failure of any kind is what is looked for
            ours = [each for each in traceback.extract_tb(error.__traceback__) if "sensors" in each.filename]
            place = wrong = (
                f"{type(error).__name__} at {ours[-1].filename}:{ours[-1].lineno}" if ours else repr(error)
            )
        if wrong and place[:140] not in self.seen:
            kept = self.kept / hashlib.sha256(made).hexdigest()[:16]
            kept.write_bytes(made)
            self.seen[place[:140]] = f"{place}\n    from {name}, kept as {kept}"
            print(self.seen[place[:140]], flush=True)

    def done(self) -> None:
        print(f"{self.inputs:,} inputs of {len(self.samples)} samples, {len(self.seen)} findings", flush=True)
        sys.stdout.flush()
        os._exit(1 if self.seen else 0)  # libFuzzer has no other way out that says so


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--kept", type=Path, default=Path("findings"))
    wanted = parser.parse_args()
    wanted.kept.mkdir(parents=True, exist_ok=True)
    fuzzer = Fuzzer(wanted.family, wanted.minutes, wanted.kept)
    atheris.Setup(
        [sys.argv[0], "-rss_limit_mb=6000", "-timeout=900", "-len_control=0", "-max_len=512"], fuzzer.one
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
