"""Sigma rules: read, compiled, matched over columns, counted over time.

    pack = RulePack.load([bundled_rules()])
    findings = Findings(pack)
    for dataset, frame in …:
        findings.add(frame, pack.match(frame, dataset))
    for finding in findings.find(): …
"""
