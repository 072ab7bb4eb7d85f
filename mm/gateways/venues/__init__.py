"""Real venues, each in a package of its own behind the two ports of this floor."""
