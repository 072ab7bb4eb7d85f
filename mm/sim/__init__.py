"""The simulated venue: what would have happened to our orders, and a market to trade in."""
