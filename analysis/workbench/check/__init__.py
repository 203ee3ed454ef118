"""`molehunt rules check`: what is wrong with rules, before a hunt runs them."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from analysis.options import SITE, site_of
from analysis.workbench.opened import working

if TYPE_CHECKING:
    from analysis.workbench.check.issue import Issue

_SHOWN: Final = 20  # of a kind, unless all are asked for
_PATH: Final = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=_PATH)
@click.option(
    "--rules",
    "library",
    multiple=True,
    metavar="DIR",
    type=_PATH,
    help="Rules that those checked refer to; may be repeated.",
)
@click.option("--ignore", multiple=True, metavar="KIND", help="Leave out a kind of mistake; may be repeated.")
@click.option("--strict", is_flag=True, help="Tell matters of style as well, and let warnings fail.")
@click.option("--all", "everything", is_flag=True, help=f"Print more than {_SHOWN} mistakes of a kind.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a mistake; all of them.")
@SITE
def command(
    paths: tuple[Path, ...],
    library: tuple[Path, ...],
    ignore: tuple[str, ...],
    site: Path | None,
    *,
    strict: bool,
    everything: bool,
    as_json: bool,
) -> None:
    """Check rules for mistakes.

    PATHs are folders or files of rules; without any, molehunt's own. Each mistake is one line: file, line,
    what is wrong and what to do, and its kind. Exit status 1 if anything is wrong, 0 if not.
    """
    from analysis.sigma.reading.load import bundled_rules  # noqa: PLC0415 - late, for speed
    from analysis.workbench.check.lint import check, documents_of  # noqa: PLC0415 - late, for speed
    from analysis.workbench.chosen import load_among  # noqa: PLC0415 - late, for speed

    where = paths or (bundled_rules(),)
    with working("checking rules"):
        pack, _ = load_among(where, library, site_of(site).placeholders)
        documents = documents_of(where)
        found = [issue for issue in check(pack, where, documents, strict=strict) if issue.kind not in ignore]
    if as_json:
        for issue in found:
            click.echo(json.dumps(issue.as_json(), ensure_ascii=False))
    else:
        _print(found, everything=everything)
    _sum_up(found, len(documents))
    sys.exit(1 if any(strict or not issue.warning for issue in found) else 0)


def _print(found: list[Issue], *, everything: bool) -> None:
    told = Counter[str]()
    for issue in found:
        told[issue.kind] += 1
        if everything or told[issue.kind] <= _SHOWN:
            click.echo(str(issue))
    more = {kind: count - _SHOWN for kind, count in told.items() if count > _SHOWN}
    if more and not everything:
        kinds = ", ".join(f"{count} of {kind}" for kind, count in sorted(more.items()))
        click.echo(f"not printed: {kinds}; --all prints them, --ignore KIND leaves a kind out")


def _sum_up(found: list[Issue], total: int) -> None:
    wrong = [issue for issue in found if not issue.warning]
    parts = [f"{total} rules", f"{len(wrong)} to mend"]
    if len(wrong) < len(found):
        parts.append(f"{len(found) - len(wrong)} warnings")
    kinds = Counter(issue.kind for issue in found).most_common()
    by_kind = f" ({', '.join(f'{count} {kind}' for kind, count in kinds)})" if len(kinds) > 1 else ""
    click.echo(", ".join(parts) + by_kind, err=True)
