"""The backend with the other major of pySigma: the same statements for every rule of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
# 1.5.0 cannot read brackets in conditions; sigma-cli does not know 2 yet.
VERSIONS = {"1": "1.5.1", "2": "2.0.1"}
OTHER = "2" if version("pysigma").startswith("1.") else "1"
CONVERT = """
import json, sys
from importlib.metadata import version
from pathlib import Path
from sigma.collection import SigmaCollection
from sigma.plugins import InstalledSigmaPlugins

found = InstalledSigmaPlugins.autodiscover(include_validators=False)
rules = SigmaCollection.load_ruleset([Path(name) for name in sys.argv[1:]])
pipeline = found.get_pipeline_resolver().resolve(["molehunt"])
backend = found.backends["molehunt"](pipeline, collect_errors=True)
queries = sorted(backend.convert(rules))
errors = [str(error) for _, error in backend.errors]
print(json.dumps({"version": version("pysigma"), "queries": queries, "errors": errors}))
"""


def converted(python: Path, path: list[Path]) -> dict[str, object]:
    """What every rule of ours becomes, by an interpreter that looks for packages in `path` first."""
    rules = [path for path in sorted((REPO / "rules").rglob("*.yml")) if path.parent.name != "anomaly"]
    done = subprocess.run(
        [python, "-c", CONVERT, *rules],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_the_other_major_of_pysigma_makes_the_same_statements(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    wanted = f"pysigma=={VERSIONS[OTHER]}"
    got = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--retries", "1", wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if got.returncode:
        pytest.skip(f"{wanted} cannot be had: {got.stderr.strip().splitlines()[-1]}")
    theirs = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    here = Path(pytest.__file__).resolve().parents[1]  # whatever else molehunt needs
    answer = converted(python, [REPO, theirs, here])
    mine = converted(Path(sys.executable), [REPO])
    assert str(answer["version"]).startswith(f"{OTHER}.")
    assert answer["queries"] == mine["queries"]
    assert answer["errors"] == mine["errors"] == []
