"""Rates of currencies from outside venues: who publishes them, and what of it is believed."""
