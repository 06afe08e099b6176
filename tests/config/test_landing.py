"""The page at /, for people who only know the address."""

import re

import pytest
from django.test import Client
from django.urls import resolve


def test_the_landing_page_says_what_this_is_and_leads_on():
    response = Client().get("/")
    page = response.content.decode()
    links = re.findall(r'href="([^"]+)"', page)

    assert response.status_code == 200
    assert "<title>Docent</title>" in page
    pages = ["docs", "redoc", "schema", "schema-json", "problems", "readyz", "healthz", "admin:index"]
    assert [resolve(link).view_name for link in links if not link.endswith(".svg")] == pages


def test_the_landing_page_loads_nothing_from_elsewhere():
    page = Client().get("/").content.decode()

    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", page) == []


@pytest.mark.django_db
@pytest.mark.parametrize(("page", "said"), [("/", "AI is simulated here"), ("/admin/login/", "AI simulated")])
def test_pages_say_when_a_simulator_answers_for_ai(settings, page, said):
    assert said not in Client().get(page).content.decode()

    settings.AI_SIMULATED = True

    assert said in Client().get(page).content.decode()


@pytest.mark.django_db
def test_the_admin_bears_the_products_name():
    page = Client().get("/admin/login/").content.decode()

    assert "Docent" in page
    assert "Django administration" not in page
