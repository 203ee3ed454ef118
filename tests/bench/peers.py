"""Other programs that run Sigma rules over the same NDJSON, if they are installed.

What each is given is by its own documentation: the rules of the pack as files in a folder, the events as
evtx_dump writes them, and whatever it needs to find `Image` under `Event.EventData`. One that is not on PATH,
or that fails, is left out with a word. Their counts of matches are theirs: see `rules/README.md` on why
engines differ.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

# Sigma's names to those of evtx_dump's JSON, as rsigma's processing pipelines write it.
RSIGMA_PIPELINE: Final = """
name: evtx_dump
priority: 10
transformations:
  - id: system
    type: field_name_mapping
    mapping:
      EventID: Event.System.EventID
      Channel: Event.System.Channel
      Provider_Name: Event.System.Provider.#attributes.Name
      Computer: Event.System.Computer
  - id: data
    type: field_name_prefix
    prefix: "Event.EventData."
    field_name_cond_not: true
    field_name_conditions:
      - type: include_fields
        fields:
          - Event.System.EventID
          - Event.System.Channel
          - Event.System.Computer
          - Event.System.Provider.#attributes.Name
"""

Command = Callable[[str, Path, Path, Path], list[str]]


def rsigma(program: str, rules: Path, raw: Path, work: Path) -> list[str]:
    pipeline, events = work / "pipeline.yml", work / "events.ndjson"
    pipeline.write_text(RSIGMA_PIPELINE)
    with events.open("wb") as whole:
        for path in sorted(raw.iterdir()):
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)
    return [program, "engine", "eval", "-r", str(rules), "-p", str(pipeline), "-e", f"@{events}"]


def zircolite(program: str, rules: Path, raw: Path, work: Path) -> list[str]:
    options = ["--json-input", "--no-auto-detect", "--nolog", "--quiet", "-o", str(work / "found.json")]
    pipelines = ["--pipeline", "sysmon", "--pipeline", "windows-logsources"]
    return [
        program,
        "--events",
        str(raw),
        "--fileext",
        "ndjson",
        "--ruleset",
        str(rules),
        *pipelines,
        *options,
    ]


def hayabusa(program: str, rules: Path, raw: Path, work: Path) -> list[str]:
    options = ["--JSON-input", "--no-wizard", "--no-summary", "--quiet", "-o", str(work / "found.jsonl")]
    return [program, "json-timeline", "-L", "-d", str(raw), "-r", str(rules), *options]


def chainsaw(program: str, rules: Path, raw: Path, work: Path) -> list[str]:
    mapping = Path(program).resolve().parent / "mappings" / "sigma-event-logs-all.yml"
    ours = work / "mapping.yml"
    ours.write_text(mapping.read_text("utf-8").replace("kind: evtx", "kind: json"))
    return [program, "hunt", str(raw), "-s", str(rules), "--mapping", str(ours), "--jsonl", "-q"]


COMMANDS: Final[dict[str, Command]] = {
    "rsigma": rsigma, "zircolite": zircolite, "hayabusa": hayabusa, "chainsaw": chainsaw,
}  # fmt: skip


def run(name: str, files: list[Path], raw: Path) -> tuple[float, float, int, str]:
    """CPU and clock seconds, peak MiB, and a word on it; all zero if it was left out."""
    program = shutil.which(name) or shutil.which(f"{name}.py")
    if program is None:
        return 0, 0, 0, "left out: not on PATH"
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        rules = work / "rules"
        rules.mkdir()
        for number, path in enumerate(files):
            shutil.copy(path, rules / f"{number:05d}-{path.name}")
        try:
            command = COMMANDS[name](program, rules, raw, work)
        except OSError as error:
            return 0, 0, 0, f"left out: {error}"
        with Path(work, "out").open("wb") as out, Path(work, "err").open("wb") as err:
            begin = time.perf_counter()
            # wait4 alone tells what one child cost.
            child = subprocess.Popen(command, stdout=out, stderr=err, cwd=work)
            _, status, cost = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            clock = time.perf_counter() - begin
        said = [line for line in Path(work, "err").read_text("utf-8", "replace").splitlines() if line.strip()]
        if child.returncode:
            return 0, 0, 0, f"left out: it failed ({said[-1][:150] if said else child.returncode})"
        return cost.ru_utime + cost.ru_stime, clock, cost.ru_maxrss >> 10, said[-1][:100] if said else ""
