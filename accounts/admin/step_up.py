"""Proving anew who one is, before secrets and keys: by the password, or a code where the account has a device."""

from django.http import HttpRequest

PASSWORD, CODE = "password", "code"


def proof_needed(request: HttpRequest) -> str:
    """What is to be given: `password`, `code`, or nothing, where it was given a short while ago."""
    return ""


def proof_fault(request: HttpRequest, given: str) -> str | None:
    """None where nothing is needed, or what was given is right; else what to say."""
    return None
