"""Correlations: events that rules match, counted in exact windows."""
