"""What all refusals of this package have in common."""


class EmbeddedError(Exception):
    """A start was refused or failed; the text says what is wrong and what to do."""
