"""Regular expressions of rules: read, bounded, searched for."""

from analysis.sigma.regex.pattern import Late, RegexError, TimedOut, compiled, required

__all__ = ["Late", "RegexError", "TimedOut", "compiled", "required"]
