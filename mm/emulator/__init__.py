"""Venues on this machine: their own protocols on loopback, in front of the simulated venue."""
