"""The pages work in a real browser under their Content-Security-Policy."""

import pytest
from django.http import HttpResponse

from config.devservers.ports import LOOPBACK
from tests.browser import chromium
from tests.core import web_process

pytestmark = [
    pytest.mark.drill,
    pytest.mark.untimed,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="chromium is not installed"),
    pytest.mark.timeout(300),
]
# Something that only stands there once scripts and the document from the service have done their work.
PAGES = {
    "/": "Recommendations for several tenants",
    "/api/docs/": "opblock-summary-path",
    "/api/redoc/": "menu-content",
    "/admin/login/": "id_username",
}


def test_every_page_shows_what_it_should_and_the_console_has_nothing_to_say(cast, committed_db, tmp_path):
    with web_process.serving(tmp_path, WEB_CONCURRENCY="1") as web:
        for path, expected in PAGES.items():
            page = chromium.visit(f"http://{LOOPBACK}:{web.port}{path}")
            assert page.console == [], path
            assert expected in page.dom, path


def test_the_browser_would_tell(live_server, monkeypatch):
    """The proof that the drill can fail: an inline script without the nonce."""
    page = HttpResponse("<p>a</p><script>document.body.append('ran')</script>")
    monkeypatch.setattr("django.views.generic.TemplateView.get", lambda *_, **__: page)

    seen = chromium.visit(live_server.url)

    assert seen.violations
    assert "ran</" not in seen.dom
