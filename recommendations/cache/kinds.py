"""The kinds of lists that belong to no placement: what a new one is served, counted and labelled by."""

POPULAR, SIMILAR, TOGETHER, TRENDING, LATEST = "popular", "similar", "together", "trending", "latest"
SESSION, RANK = "session", "rank"
SERVED = (POPULAR, SIMILAR, TOGETHER, TRENDING, LATEST, SESSION, RANK)
"""Those that an operation of the API answers with under the kind's own name."""
