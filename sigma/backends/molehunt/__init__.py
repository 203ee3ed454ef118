"""Sigma rules as SQL over molehunt's lake: `sigma convert -t molehunt -p molehunt`."""

from sigma.backends.molehunt.backend import MolehuntBackend

backends = {"molehunt": MolehuntBackend}

__all__ = ["MolehuntBackend", "backends"]
