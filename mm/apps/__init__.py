"""Where the floors are wired together: configuration, the runner, the command line."""
