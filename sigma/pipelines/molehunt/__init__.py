"""Sigma's names as those of molehunt's lake: `sigma convert -p molehunt`."""

from sigma.pipelines.molehunt.pipeline import molehunt_pipeline

pipelines = {"molehunt": molehunt_pipeline}

__all__ = ["molehunt_pipeline", "pipelines"]
