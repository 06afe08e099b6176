"""Pages of the own second factor: setup, code entry, new recovery codes, and the step-up proof."""

from base64 import b32encode
from collections.abc import Callable
from typing import Any

import django_otp
import qrcode
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from qrcode.image.svg import SvgPathImage

from accounts import audit
from accounts.admin.step_up import WRONG, proof_fault, proof_needed
from accounts.audit import Target
from accounts.models import AuditEntry
from accounts.staff import second_factor, sessions
from core import clock

# The library's own pages would show keys and let staff edit each other's devices.
for model in (TOTPDevice, StaticDevice):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
View = Callable[[HttpRequest], HttpResponse]
NO_STORE = {"Cache-Control": "no-store, private"}


def _logged_in_staff(view: View) -> View:
    """Restricts a view to staff who have logged in with their password."""

    @never_cache
    @sensitive_post_parameters("code", "_proof")
    def guarded(request: HttpRequest) -> HttpResponse:
        if not admin.site.has_permission(request):
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        return view(request)

    return guarded


@_logged_in_staff
def enter_code(request: HttpRequest) -> HttpResponse:
    """Asks for the code after the password."""
    if second_factor.get_device(request.user) is None:
        return HttpResponseRedirect(reverse("second-factor-enrol"))
    fault = ""
    if request.method == "POST":
        check = second_factor.verify(request.user, request.POST.get("code", ""), now=clock.now())
        if check.device is not None:
            _log_in_device(request, check.device)
            left = f"{second_factor.codes_left(request.user)} recovery codes left" if check.recovery else ""
            _record(request, "second_factor_given", note=left)
            return HttpResponseRedirect(_next_page(request))
        waiting = f"Too many wrong codes: try again in {check.wait_seconds} s."
        fault = waiting if check.wait_seconds else WRONG["code"]
        if not check.wait_seconds:
            _record(request, "second_factor_failed", outcome=AuditEntry.Outcome.REFUSED)
    return _page(request, "second_factor.html", "Second factor", fault=fault)


@_logged_in_staff
def enrol(request: HttpRequest) -> HttpResponse:
    """Shows the key for the app, and accepts the app's first code. Replacing a device requires its code."""
    user: Any = request.user
    if second_factor.get_device(user) is not None and not user.is_verified():
        return HttpResponseRedirect(reverse("second-factor"))
    if second_factor.get_device(user) is not None and proof_needed(request):
        return HttpResponseRedirect(f"{reverse('step-up')}?next={reverse('second-factor-enrol')}")
    fault = ""
    if request.method == "POST":
        codes = second_factor.confirm(user, request.POST.get("code", ""), now=clock.now())
        if codes:
            device = second_factor.get_device(user)
            assert device is not None
            _log_in_device(request, device)
            _record(request, "second_factor_set_up")
            return _page(request, "recovery_codes.html", "Recovery codes", codes=codes)
        fault = WRONG["code"]
    pending = second_factor.begin(user)
    image = qrcode.make(pending.config_url, image_factory=SvgPathImage, box_size=10, border=2)
    key = b32encode(pending.bin_key).decode()
    shown = {
        "qr": image.to_string(encoding="unicode"),
        "key": " ".join(key[at : at + 4] for at in range(0, len(key), 4)),
    }
    return _page(request, "enrol.html", "Set up the second factor", fault=fault, **shown)


@_logged_in_staff
def codes(request: HttpRequest) -> HttpResponse:
    """Replaces the recovery codes."""
    user: Any = request.user
    if second_factor.get_device(user) is None or not user.is_verified():
        return HttpResponseRedirect(reverse("second-factor"))
    if proof_needed(request):
        return HttpResponseRedirect(f"{reverse('step-up')}?next={reverse('second-factor-codes')}")
    if request.method != "POST":
        return _page(request, "new_codes.html", "New recovery codes", left=second_factor.codes_left(user))
    fresh = second_factor.new_codes(user)
    _record(request, "recovery_codes_renewed")
    return _page(request, "recovery_codes.html", "Recovery codes", codes=fresh)


def own_password(request: HttpRequest) -> HttpResponse:
    """Django's page for the own password, which asks for the old one, with an audit entry."""
    response: HttpResponse = admin.site.admin_view(admin.site.password_change, cacheable=True)(request)
    if request.method == "POST" and response.status_code == 302 and request.user.is_authenticated:
        _record(request, "own_password_changed")
    return response


@_logged_in_staff
def step_up(request: HttpRequest) -> HttpResponse:
    """Asks for the password or a code again before a page that shows a secret."""
    if second_factor.get_device(request.user) is not None and not request.user.is_verified():  # type: ignore[union-attr]
        return HttpResponseRedirect(reverse("second-factor"))
    fault: str | None = ""
    if request.method == "POST":
        fault = proof_fault(request, request.POST.get("_proof", ""))
        if fault is None:
            return HttpResponseRedirect(_next_page(request))
    needed = proof_needed(request)
    if not needed:
        return HttpResponseRedirect(_next_page(request))
    return _page(request, "step_up.html", "Prove that it is you", fault=fault, proof=needed)


def _log_in_device(request: HttpRequest, device: Any) -> None:
    """Starts a new session key, as at log-in, against session fixation."""
    request.session.cycle_key()
    django_otp.login(request, device)
    sessions.prove(request, now=clock.now())


def _record(request: HttpRequest, action: str, note: str = "", outcome: str = AuditEntry.Outcome.DONE) -> None:
    user: Any = request.user
    audit.record(
        actor=audit.request_actor(request),
        action=action,
        now=clock.now(),
        target=Target("accounts.user", str(user.pk), user.get_username(), user.tenant_id),
        note=note,
        outcome=outcome,
    )


def _next_page(request: HttpRequest) -> str:
    """Returns the page to continue with; only within the admin."""
    page = request.POST.get("next") or request.GET.get("next") or ""
    own = url_has_allowed_host_and_scheme(page, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return page if own and page.startswith("/admin/") else reverse("admin:index")


def _page(request: HttpRequest, template: str, title: str, **more: Any) -> HttpResponse:
    context = {
        "site_header": admin.site.site_header,
        "site_title": admin.site.site_title,
        "title": title,
        "next": _next_page(request),
        "status_of": getattr(request.user, "is_verified", bool)(),
        **more,
    }
    status = 422 if more.get("fault") else 200
    return TemplateResponse(request, f"admin/accounts/{template}", context, status=status, headers=NO_STORE)
