"""People by how much is known of them: the one meaning of cold, sparse, regular and heavy.

By the number of different items in somebody's history that they chose: none, fewer than 10, fewer than 100, more.
"""

COLD, SPARSE, REGULAR, HEAVY = "cold", "sparse", "regular", "heavy"
SEGMENTS = (COLD, SPARSE, REGULAR, HEAVY)
SPARSE_FROM, REGULAR_FROM, HEAVY_FROM = 1, 10, 100


def segment_of(known_items: int) -> str:
    """The segment of somebody whose history holds so many different items."""
    if known_items < SPARSE_FROM:
        return COLD
    if known_items < REGULAR_FROM:
        return SPARSE
    return REGULAR if known_items < HEAVY_FROM else HEAVY
