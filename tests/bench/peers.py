"""Other programs that run Sigma rules over the same NDJSON, if they are installed.

What each is given is by its own documentation: the rules of the pack as files in a folder, the events as
evtx_dump writes them, and whatever it needs to find `Image` under `Event.EventData`. One that is not on PATH,
or that fails, is left out with a word. Their counts of matches are theirs: see `rules/README.md` on why
engines differ. They read the NDJSON each time, molehunt once, into the lake: what that costs, `read.py` says.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

# Sigma's names to those of evtx_dump's JSON, as pySigma's processing pipelines, which rsigma reads, write it.
SYSTEM: Final = {
    "EventID": "Event.System.EventID",
    "Channel": "Event.System.Channel",
    "Provider_Name": "Event.System.Provider.#attributes.Name",
    "Computer": "Event.System.Computer",
}


def pipeline(*, logsources: bool) -> dict[str, Any]:
    """Fields to places; if asked, logsources as channels and event ids (Sysmon alone, as others do)."""
    tables = yaml.safe_load((files("analysis.sigma") / "logsources.yaml").read_text("utf-8"))
    services = {name: channels(meant) for name, meant in tables["services"]["windows"].items()}
    conditions = [("service", name, {"Channel": found}) for name, found in services.items() if found]
    for category, meant in tables["product_categories"]["windows"].items():
        first = meant[0] if isinstance(meant, list) else meant
        if service := first.get("service"):
            asked = {"Channel": services[service], "EventID": first["event.code"]}
            conditions.append(("category", category, asked))
    added = [
        {
            "id": f"{kind}-{name}",
            "type": "add_condition",
            "conditions": asked,
            "rule_conditions": [{"type": "logsource", "product": "windows", kind: name}],
        }
        for kind, name, asked in conditions
    ]
    unlike = [{"type": "include_fields", "fields": list(SYSTEM.values())}]
    data = {
        "id": "data",
        "type": "field_name_prefix",
        "prefix": "Event.EventData.",
        "field_name_cond_not": True,
    }
    names = {"id": "system", "type": "field_name_mapping", "mapping": SYSTEM}
    return {
        "name": "evtx_dump",
        "priority": 10,
        "transformations": [*(added if logsources else ()), names, data | {"field_name_conditions": unlike}],
    }


def channels(meant: Any) -> list[str]:  # noqa: ANN401 - a YAML value of our own file
    """The channels that a service means."""
    if isinstance(meant, list):
        return [name for one in meant for name in channels(one)]
    found = meant.get("winlog.channel", [])
    return [found] if isinstance(found, str) else list(found)


Command = Callable[[str, Path, Path, Path], list[str]]


def rsigma(program: str, rules: Path, raw: Path, work: Path) -> list[str]:
    return _rsigma(program, rules, raw, work, logsources=True)


def rsigma_fields_alone(program: str, rules: Path, raw: Path, work: Path) -> list[str]:
    """Faster, and wrong where a rule finds what is not of its logsource."""
    return _rsigma(program, rules, raw, work, logsources=False)


def _rsigma(program: str, rules: Path, raw: Path, work: Path, *, logsources: bool) -> list[str]:
    words, events = work / "pipeline.yml", work / "events.ndjson"
    words.write_text(yaml.safe_dump(pipeline(logsources=logsources), sort_keys=False))
    with events.open("wb") as whole:
        for path in sorted(raw.iterdir()):
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)
    return [program, "engine", "eval", "-r", str(rules), "-p", str(words), "-e", f"@{events}"]


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


COMMANDS: Final[dict[str, tuple[str, Command]]] = {
    "rsigma": ("rsigma", rsigma),
    "rsigma, fields alone": ("rsigma", rsigma_fields_alone),
    "zircolite": ("zircolite", zircolite),
    "hayabusa": ("hayabusa", hayabusa),
    "chainsaw": ("chainsaw", chainsaw),
}


def run(name: str, paths: list[Path], raw: Path) -> tuple[float, float, int, str]:
    """CPU and clock seconds, peak MiB, and a word on it; all zero if it was left out."""
    called, commanded = COMMANDS[name]
    program = shutil.which(called) or shutil.which(f"{called}.py")
    if program is None:
        return 0, 0, 0, "left out: not on PATH"
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        rules = work / "rules"
        rules.mkdir()
        for number, path in enumerate(paths):
            shutil.copy(path, rules / f"{number:05d}-{path.name}")
        try:
            command = commanded(program, rules, raw, work)
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
