"""Kraken spot: WebSocket v2 for market data and private news, REST for orders and questions."""
