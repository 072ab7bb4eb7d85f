"""What we do about it: step, wake, quote, and what risk lets through."""
