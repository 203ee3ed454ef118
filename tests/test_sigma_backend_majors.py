"""The backend with the other major of pySigma: the same statements for every rule of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from importlib.util import find_spec
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


def converted(path: list[Path]) -> dict[str, object]:
    """What every rule of ours becomes, packages being looked for in `path` first."""
    rules = [path for path in sorted((REPO / "rules").rglob("*.yml")) if path.parent.name != "anomaly"]
    done = subprocess.run(
        [sys.executable, "-c", CONVERT, *rules],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_the_other_major_of_pysigma_makes_the_same_statements(tmp_path: Path) -> None:
    python = Path(sys.executable)
    if find_spec("pip") is None:
        venv.create(tmp_path / "venv", with_pip=True)
        python = tmp_path / "venv" / "bin" / "python"
    wanted, theirs = f"pysigma=={VERSIONS[OTHER]}", tmp_path / "theirs"
    got = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--retries", "1", "--target", theirs, wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if got.returncode:
        pytest.skip(f"{wanted} cannot be had: {got.stderr.strip().splitlines()[-1]}")
    with ThreadPoolExecutor() as pool:
        answer, mine = pool.map(converted, [[REPO, theirs], [REPO]])
    assert str(answer["version"]).startswith(f"{OTHER}.")
    assert answer["queries"] == mine["queries"]
    assert answer["errors"] == mine["errors"] == []
