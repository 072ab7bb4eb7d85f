"""MAX as it speaks: REST v3, and one socket for market data and private news."""
