"""Bytes to events: one module a product, each turning a vendor's format into ECS columns."""
