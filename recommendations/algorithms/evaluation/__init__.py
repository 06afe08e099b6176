"""Offline evaluation: how the data is split, what is measured, and the run that does both."""
