"""MAX: one socket for market data and private news each, REST for orders and questions."""
