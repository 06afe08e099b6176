"""Addresses of admin pages, and staff to open them."""

from django.test import Client
from django.urls import reverse

from accounts.models import User

PASSWORD = "correct horse battery staple"


CONFIRMED = {"_confirmed": "yes", "_reason": "a test"}


def page(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def staff(name, **fields):
    person = User.objects.create_user(name, f"{name}@example.org", PASSWORD, is_staff=True, **fields)
    browser = Client(raise_request_exception=False)
    assert browser.login(username=name, password=PASSWORD)
    return person, browser
