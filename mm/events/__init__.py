"""The vocabulary: every fact and decision that can stand on the log, and nothing else."""
