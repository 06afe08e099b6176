"""Proving anew who one is, before secrets and keys: by the password, or a code where the account has a device."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounts.staff import second_factor, sessions
from core import clock

PASSWORD, CODE = "password", "code"
WRONG = {PASSWORD: "This is not your password.", CODE: "This code is not right, or it was used before."}


def proof_needed(request: HttpRequest, *, slack: float = 0) -> str:
    """What is to be given: `password`, `code`, or nothing, where it was given a short while ago."""
    if sessions.is_proved(request, now=clock.now(), slack=slack):
        return ""
    return CODE if second_factor.device_of(request.user) is not None else PASSWORD


def proof_fault(request: HttpRequest, given: str) -> str | None:
    """None where nothing is needed, or what was given is right; else what to say."""
    needed, now = proof_needed(request), clock.now()
    if not needed:
        return None
    if needed == PASSWORD:
        # Through the same door as a log-in, so that it is counted, and refused, as one.
        known = authenticate(request, username=request.user.get_username(), password=given)
        right = known is not None and known.pk == request.user.pk
    else:
        found = second_factor.verify(request.user, given, now=now)
        if found.wait_seconds:
            return f"Too many wrong codes: try again in {found.wait_seconds} s."
        right = found.device is not None
    if not right:
        return WRONG[needed]
    sessions.prove(request, now=now)
    return None


class StepUpToAdd(admin.ModelAdmin):
    """For pages where adding a row shows a secret."""

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Asks for the proof before the form; one that was opened in time may be sent a while later."""
        slack = sessions.SLACK_SECONDS if request.method == "POST" else 0
        if self.has_add_permission(request) and proof_needed(request, slack=slack):
            return HttpResponseRedirect(f"{reverse('step-up')}?{urlencode({'next': request.get_full_path()})}")
        return super().add_view(request, *args, **kwargs)
