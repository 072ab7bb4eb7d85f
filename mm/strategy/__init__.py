"""What we would like to quote: pure functions of a read-only view."""
