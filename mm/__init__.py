"""Event-sourced market making: one append-only log, one engine, live and replayed alike."""

__version__ = "0.1.0"
