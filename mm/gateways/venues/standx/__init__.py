"""StandX perpetuals: market data, orders, and the login that both need."""
