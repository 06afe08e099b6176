"""Step-up authentication before secrets and keys: by the password, or by a code if the account has a device."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounts.staff import second_factor, sessions
from core import clock

PASSWORD, CODE = "password", "code"
WRONG = {PASSWORD: "This is not your password.", CODE: "This code is wrong, or was used before."}


def proof_needed(request: HttpRequest, *, slack: float = 0) -> str:
    """Returns `password` or `code`, or an empty string if a proof was given recently."""
    if sessions.is_proved(request, now=clock.now(), slack=slack):
        return ""
    return CODE if second_factor.get_device(request.user) is not None else PASSWORD


def proof_fault(request: HttpRequest, given: str) -> str | None:
    """Returns None if no proof is needed or it is correct, else the error to show."""
    needed, now = proof_needed(request), clock.now()
    if not needed:
        return None
    if needed == PASSWORD:
        # Like a log-in, so that failures are counted and locked out the same way.
        known = authenticate(request, username=request.user.get_username(), password=given)
        right = known is not None and known.pk == request.user.pk
    else:
        check = second_factor.verify(request.user, given, now=now)
        if check.wait_seconds:
            return f"Too many wrong codes: try again in {check.wait_seconds} s."
        right = check.device is not None
    if not right:
        return WRONG[needed]
    sessions.prove(request, now=now)
    return None


class StepUpToAdd(admin.ModelAdmin):
    """Requires a proof of identity on pages where adding a row shows a secret."""

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Asks for the proof before the form; a form opened in time may be submitted a while later."""
        slack = sessions.SLACK_SECONDS if request.method == "POST" else 0
        if self.has_add_permission(request) and proof_needed(request, slack=slack):
            return HttpResponseRedirect(f"{reverse('step-up')}?{urlencode({'next': request.get_full_path()})}")
        return super().add_view(request, *args, **kwargs)
