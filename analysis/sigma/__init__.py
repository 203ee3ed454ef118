"""Sigma rules: read, compiled, matched over columns, counted over time.

pack = RulePack.load([bundled_rules()])
findings = Findings(pack)
for dataset, frame in …:
    findings.add(frame, pack.match(frame, dataset))
for finding in findings.find(): …
"""

from analysis.sigma.correlations.correlate import Correlations
from analysis.sigma.findings import Findings
from analysis.sigma.pack import RulePack
from analysis.sigma.reading.documents import RuleError
from analysis.sigma.reading.load import bundled_rules
from analysis.sigma.reading.rule import Rule
from analysis.sigma.sieve import Suppressed

__all__ = ["Correlations", "Findings", "Rule", "RuleError", "RulePack", "Suppressed", "bundled_rules"]
