"""Base class of this package's errors."""


class DevServerError(Exception):
    """A start was refused or failed; the text gives the cause and the remedy."""
