"""Anomaly rules: Sigma's correlation whose threshold is learned."""

from analysis.anomaly.anomalies import Anomalies
from analysis.anomaly.language import AnomalyRule, parse
from analysis.anomaly.reading import AnomalyError

__all__ = ["Anomalies", "AnomalyError", "AnomalyRule", "parse"]
