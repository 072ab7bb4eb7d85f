"""Kraken spot as it speaks: REST, and WebSocket v2, public and private."""
