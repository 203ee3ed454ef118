"""Events to a report: which accounts look like an embedded worker, why, and what they took."""
