"""Members of staff for tests of the admin, and what they do in it."""

from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry, User
from accounts.tenancy import scope

PASSWORD = "correct horse battery staple"
REASON = "a test of the reason"
CONFIRMED = {"_confirmed": "yes", "_reason": REASON}


def page(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def staff(name, *permissions, **fields):
    """Somebody with these permissions (`app.codename`; all of them for `*`), and a browser in which they are in."""
    person = User.objects.create_user(name, f"{name}@example.org", PASSWORD, is_staff=True, **fields)
    if permissions == ("*",):
        person.user_permissions.set(Permission.objects.all())
    for each in permissions if permissions != ("*",) else ():
        app, codename = each.split(".")
        person.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    browser = Client(raise_request_exception=False)
    browser.force_login(person)
    return person, browser


def act(browser, model, action, *keys, **more):
    """Chooses the action for the rows, and confirms it."""
    sent = {"action": action, "_selected_action": list(keys), **CONFIRMED, **more}
    return browser.post(page(model, "changelist"), sent)


def entries(**only):
    with scope.all_tenants("test"):
        return list(AuditEntry.objects.filter(**only).order_by("pk"))
