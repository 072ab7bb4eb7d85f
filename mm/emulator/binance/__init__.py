"""Binance as its clients see it: spot and USD-M futures."""
