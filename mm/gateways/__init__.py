"""Venues and files: what they send becomes typed events, what we want becomes their requests."""
