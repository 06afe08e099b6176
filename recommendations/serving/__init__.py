"""Answers from what was precomputed: the ladder chooses a list, a page is cut from it."""
