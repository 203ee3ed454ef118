"""The whole flow of a hunt, from paths to the files of its report."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from analysis import profile
from analysis.anomaly import Anomalies, AnomalyError, AnomalyRule, parse
from analysis.context import Context, ContextError, load_context, recognise
from analysis.finding import Finding, NotRun
from analysis.intake import Intake, read_into
from analysis.known import Known
from analysis.lake import Lake, is_lake
from analysis.report import files as report_files
from analysis.report.compose import Material, compose
from analysis.report.text import plain
from analysis.sigma import Correlations, Findings, RulePack, Suppressed, bundled_rules
from sensors import files
from sensors.reading.ahead import ahead
from sensors.sensor import Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo

    import polars as pl

    from analysis.report.document import Report
    from sensors.mapped import Mapped


_CALLED: Final = {
    "roster": "roster",
    "geo_city": "city file",
    "geo_asn": "network file",
    "site": "site file",
}


class HuntError(Exception):
    """The hunt cannot go on; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for; see `molehunt hunt --help`."""

    paths: tuple[Path, ...]
    out: Path
    roster: Path | None = None
    geo_city: Path | None = None
    geo_asn: Path | None = None
    site: Path | None = None
    rules: tuple[Path, ...] = ()
    no_bundled_rules: bool = False
    zone: tzinfo | None = None
    lake: Path | None = None
    mappings: tuple[Mapped, ...] = ()


def run(options: Options) -> Report:
    """Read, resolve, attribute, match, weigh, and write the report's files to `options.out`.

    Raises:
        HuntError: the context cannot be used, or the output cannot be written.
    """
    try:
        with _progress() as say:
            report = _hunt(options, say)
            say("writing the report")
            report_files.write(report, options.out)
    except ContextError as error:
        raise HuntError(str(error)) from error
    except BlockingIOError as error:
        raise HuntError(
            "another molehunt is writing to this lake; wait for it, or give another --lake"
        ) from error
    except OSError as error:
        raise HuntError(f"{error.filename or options.out}: {error.strerror or error}") from error
    return report


def _hunt(options: Options, say: Callable[[str], None]) -> Report:
    found = _context_files(options)
    damaged = _damaged(found)
    used = {kind: given or next(iter(found[kind]), None) for kind, given in _given(options).items()}
    context = load_context(used["roster"], used["geo_city"], used["geo_asn"], used["site"])
    context.notes.extend(_not_used(found, used))
    lake = Lake(options.lake or options.out / "lake")
    no_logs = {*used.values(), *(path for paths in found.values() for path in paths)}
    no_logs |= {mapping.path for mapping in options.mappings}
    intake = _read(options, lake, context, no_logs | {Path(each.path) for each in damaged}, say)
    intake.unread += damaged
    if options.lake is None:  # a lake of this hunt's own answers for this hunt's inputs alone
        lake.only(manifest for manifest, _ in intake.manifests)
    say("who is who")
    known = Known.of(lake, context)
    pack, rules, broken = _rules(options, context)
    context.notes.extend(str(note) for note in (*(e for e in pack.errors if e.harmless), *pack.notes))
    examined = _Examined(pack, rules, context)
    for dataset, frame in ahead((batch.dataset, known.add(batch.frame)) for batch in lake.batches()):
        say(f"looking at {dataset}")
        examined.add(dataset, frame)
    findings = examined.findings()
    context.notes.extend(f"{one.title}: {one.reason}" for one in pack.partly(examined.columns))
    material = Material(
        created=datetime.now(UTC),
        inputs=tuple(str(path) for path in options.paths),
        intake=intake,
        lake=lake,
        context=context,
        identity=known.identity,
        attribution=known.attribution,
        profiles=examined.profiles.whole(),
        findings=findings,
        not_run=(*broken, *pack.plan(examined.columns), *examined.anomalies.not_run()),
        detections=len(pack.rules) + len(pack.correlations) + len(rules),
        held_back=examined.suppressed.told(),
    )
    return compose(material)


def _given(options: Options) -> dict[str, Path | None]:
    return {
        "roster": options.roster,
        "geo_city": options.geo_city,
        "geo_asn": options.geo_asn,
        "site": options.site,
    }


def _context_files(options: Options) -> dict[str, list[Path]]:
    """Rosters, site and geography files that lie among the inputs."""
    found: dict[str, list[Path]] = {kind: [] for kind in _given(options)}
    for path in files.walk(options.paths, _own(options)):
        kind = None if isinstance(path, Unread) or not path.is_file() else recognise(path)
        if kind is not None and not isinstance(path, Unread):
            found[kind].append(path)
    return found


def _damaged(found: dict[str, list[Path]]) -> list[Unread]:
    """Takes out of `found` what cannot be used, and names it: nobody asked for it, so the hunt goes on."""
    named = []
    for kind, paths in found.items():
        for path in tuple(paths):
            try:
                load_context(**{kind: path})
            except ContextError as error:
                paths.remove(path)
                named.append(Unread(str(path), str(error)))
    return named


def _not_used(found: dict[str, list[Path]], used: dict[str, Path | None]) -> Iterator[str]:
    """What lies among the inputs and is neither read as a log nor used."""
    for kind, paths in found.items():
        chosen = used[kind]
        for path in paths:
            if chosen is not None and path.resolve() != chosen.resolve():
                yield f"{path} was not used: {chosen} is the {_CALLED[kind]}, and there is but one."


def _own(options: Options) -> Callable[[Path], bool]:
    """What hunts made themselves, if it lies among the inputs: lakes, and the files of this report."""
    out = options.out.resolve()

    def own(path: Path) -> bool:
        return is_lake(path) or (path.name in report_files.NAMES and path.parent.resolve() == out)

    return own


def _read(
    options: Options, lake: Lake, context: Context, no_logs: set[Path | None], say: Callable[[str], None]
) -> Intake:
    def zone_for(path: str) -> tzinfo | None:
        return context.site.zone_for(path) or options.zone

    return read_into(
        lake,
        options.paths,
        zone_for,
        is_context=no_logs.__contains__,
        skip=_own(options),
        progress=lambda path: say(f"reading {path}"),
        mappings=options.mappings,
    )


def _rules(options: Options, context: Context) -> tuple[RulePack, list[AnomalyRule], list[NotRun]]:
    """The Sigma rules, those with a learned threshold, and those that are written so that they cannot run."""
    folders = [*([] if options.no_bundled_rules else [bundled_rules()]), *options.rules]
    pack = RulePack.load(folders, placeholders=context.site.placeholders)
    broken = [NotRun(str(e.path), e.path.name, str(e)) for e in pack.errors if not e.harmless]
    learned = []
    for document, path in pack.anomalies:
        try:
            learned.append(parse(document, path))
        except AnomalyError as error:
            broken.append(NotRun(str(path), path.name, str(error)))
    return pack, learned, broken


class _Examined:
    """What one pass over the lake gathers; bounded by accounts, days and rules, not by events."""

    def __init__(self, pack: RulePack, rules: list[AnomalyRule], context: Context) -> None:
        self._pack = pack
        self._names = [rule.name or rule.id for rule in pack.rules]
        self._findings = Findings(pack)
        self._correlations = Correlations(pack)
        self.anomalies = Anomalies(rules, context)
        self.profiles = profile.Gathered()
        self.suppressed = Suppressed(pack.rules, pack.filters)
        self.columns: dict[str, set[str]] = {}  # of each dataset, with what context and attribution added

    def add(self, dataset: str, known: pl.DataFrame) -> None:
        self.columns.setdefault(dataset, set()).update(known.columns)
        matches, held = self._pack.sift(known, dataset)
        self.suppressed.add(held)
        self._findings.add(known, matches)
        self._correlations.add(known, matches)
        self.anomalies.add(known, matches, self._names)
        self.profiles.add(profile.partial(known))

    def findings(self) -> tuple[Finding, ...]:
        return (*self._findings.find(), *self._correlations.find(), *self.anomalies.find())


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Says what is being done, on stderr and only if that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _text: None
        return
    with console.status("starting") as status:
        yield lambda text: status.update(Text(plain(text)))  # a path is no markup and no command
