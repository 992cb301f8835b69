"""Faults, load and a checker that accounts for every request: see docs/nothing-lost.md."""
