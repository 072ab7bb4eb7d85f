"""Folds: records in, state out. One of each kind, pure and deterministic."""
