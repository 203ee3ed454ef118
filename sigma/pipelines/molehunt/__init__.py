"""Sigma's names as those of molehunt's lake: `sigma convert -p molehunt`; ECS names for Kusto."""

from sigma.pipelines.molehunt.pipeline import kusto_pipeline, molehunt_pipeline

pipelines = {"molehunt": molehunt_pipeline, "molehunt_kusto": kusto_pipeline}

__all__ = ["pipelines"]
