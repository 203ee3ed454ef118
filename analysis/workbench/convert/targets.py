"""What rules can be converted to: the backends and pipelines of pySigma that are installed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import click
from sigma.exceptions import (
    SigmaError,
    SigmaPipelineNotAllowedForBackendError,
    SigmaPipelineNotFoundError,
)
from sigma.plugins import InstalledSigmaPlugins
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import ValueListPlaceholderTransformation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sigma.conversion.base import Backend

OURS: Final = "molehunt"
# The backends that are asked for most, by the plugin that brings them; `sigma plugin list` knows all.
_OTHERS: Final = {
    "splunk": ("splunk", "Splunk"),
    "kusto": ("kusto", "Microsoft Sentinel, Defender and Azure Monitor"),
    "lucene": ("elasticsearch", "Elastic: Lucene; also eql and esql"),
    "opensearch_lucene": ("opensearch", "OpenSearch"),
    "log_scale": ("crowdstrike", "CrowdStrike LogScale"),
}


@cache
def plugins() -> InstalledSigmaPlugins:
    """What is installed."""
    return InstalledSigmaPlugins.autodiscover(include_validators=False)


def told() -> str:
    """The targets there are, each with its formats and pipelines, and how to get others."""
    lines = []
    for name, backend in sorted(plugins().backends.items()):
        asks = "; asks for a pipeline" if backend.requires_pipeline else ""
        lines.append(f"{name}: {backend.name}{asks}")
        lines.append(f"    formats: {', '.join(backend.formats)}")
        lines.append(f"    pipelines: {', '.join(_pipelines_for(name)) or 'none'}")
    missing = [
        f"{name}: {what}: sigma plugin install {plugin}"
        for name, (plugin, what) in _OTHERS.items()
        if name not in plugins().backends
    ]
    if missing:
        lines += ["", "not installed:", *missing]
    lines += ["", "`sigma plugin list` names every plugin there is; `sigma plugin install NAME` installs it."]
    return "\n".join(lines)


def _pipelines_for(target: str) -> list[str]:
    resolver = plugins().get_pipeline_resolver()
    return sorted(
        name
        for name, pipeline in resolver.list_pipelines()
        if not pipeline.allowed_backends or target in pipeline.allowed_backends
    )


@dataclass(frozen=True, slots=True)
class Target:
    """A backend with its pipelines and options.

    Attributes:
        name: as `sigma list targets` has it.
        pipelines: names, or files of pipelines; without any, that of molehunt for molehunt.
        options: of the backend.
        placeholders: what `%name%` stands for, by the site file.
    """

    name: str
    pipelines: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    placeholders: Mapping[str, Sequence[str]] = field(default_factory=dict)
    without_pipeline: bool = False

    def backend(self, form: str = "default") -> Backend:
        """A new backend; one is good for one conversion.

        Raises:
            click.UsageError: there is no such target, format, pipeline or option.
        """
        kind: Any = plugins().backends.get(self.name)
        if kind is None:
            plugin = _OTHERS.get(self.name, (self.name, ""))[0]
            known = ", ".join(sorted(plugins().backends))
            raise click.UsageError(
                f"target {self.name!r} is not installed (there is {known}); "
                f"try: sigma plugin install {plugin}"
            )
        if form not in kind.formats:
            forms = ", ".join(kind.formats)
            raise click.UsageError(f"{self.name} has no format {form!r}; take one of {forms}")
        if kind.requires_pipeline and not self.pipelines and not self.without_pipeline:
            fitting = ", ".join(_pipelines_for(self.name)) or "none is installed"
            raise click.UsageError(
                f"{self.name} asks for a pipeline: name one with -p ({fitting}), or say --without-pipeline "
                "where the rules name the fields as the system does, as ours do in ECS"
            )
        try:
            backend: Backend = kind(processing_pipeline=self._pipeline(), **self.options)
        except TypeError as error:
            raise click.UsageError(f"{self.name} does not take the options given: {error}") from error
        return backend

    def _pipeline(self) -> ProcessingPipeline:
        named = list(self.pipelines)
        if not named and self.name == OURS and not self.without_pipeline:
            named = [OURS]
        try:
            resolved = plugins().get_pipeline_resolver().resolve(named, self.name)
        except SigmaPipelineNotFoundError as error:
            raise click.UsageError(
                f"there is no pipeline and no file {error.spec!r}; --list names the pipelines of each target"
            ) from error
        except SigmaPipelineNotAllowedForBackendError as error:
            fitting = ", ".join(_pipelines_for(self.name)) or "none"
            raise click.UsageError(
                f"pipeline {error.wrong_pipeline!r} is not for {self.name}; those that are: {fitting}"
            ) from error
        except (SigmaError, OSError, ValueError) as error:
            raise click.UsageError(f"a pipeline cannot be read: {error}") from error
        if not self.placeholders:
            return resolved
        values = ProcessingPipeline(
            items=[ProcessingItem(ValueListPlaceholderTransformation(include=list(self.placeholders)))],
            vars={name: list(values) for name, values in self.placeholders.items()},
        )
        return values + resolved
