"""Bytes to columns: lines, records, texts and times, each with where it stands."""
