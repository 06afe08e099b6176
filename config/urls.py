"""Every route. The hot one comes first."""

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView, TemplateView
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerSplitView

from accounts.admin import second_factor
from accounts.api.v1.keys import jwks_document
from accounts.api.v1.metadata import metadata_document
from core.http import openapi_view, problem_pages
from core.ops import health
from core.ops.metrics_view import metrics
from core.ratelimit.ip_rate_limit import limited

public = limited("public")
login_limited = limited("admin_login", methods=frozenset({"POST"}))
# Redoc's search runs in a worker made from its own text, and its bundle brings two styles before it knows the nonce.
redoc_styles = [
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",
]
redoc = csp_update({"worker-src": ["blob:"], "style-src": redoc_styles})(
    SpectacularRedocView.as_view(url_name="schema")
)
urlpatterns = [
    path("api/v1/", include("recommendations.api.v1.urls")),
    path("api/v1/", include("accounts.api.v1.urls")),
    path(".well-known/jwks.json", public(jwks_document), name="jwks"),
    path(".well-known/oauth-authorization-server", public(metadata_document), name="oauth-metadata"),
    path("api/schema", public(openapi_view.yaml), name="schema"),
    path("api/schema.json", public(openapi_view.json), name="schema-json"),
    path("api/docs/", public(SpectacularSwaggerSplitView.as_view(url_name="schema")), name="docs"),
    path("api/redoc/", public(redoc), name="redoc"),
    # What people type, and what browsers ask for by themselves.
    path("api/", public(RedirectView.as_view(pattern_name="docs"))),
    path("docs/", public(RedirectView.as_view(pattern_name="docs"))),
    path("favicon.ico", public(RedirectView.as_view(url=static("core/favicon.svg")))),
    path("problems/", public(problem_pages.index), name="problems"),
    path("problems/<str:code>", public(problem_pages.page), name="problem"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    # In front of the admin's own, which is the same view and what its links are made from.
    path("admin/login/", login_limited(admin.site.login), name="admin-login"),
    path("admin/second-factor/", login_limited(second_factor.enter_code), name="second-factor"),
    path("admin/second-factor/enrol/", login_limited(second_factor.enrol), name="second-factor-enrol"),
    path("admin/second-factor/codes/", second_factor.codes, name="second-factor-codes"),
    path("admin/second-factor/step-up/", login_limited(second_factor.step_up), name="step-up"),
    path("admin/password_change/", second_factor.own_password),
    path("admin/", admin.site.urls),
    path(
        "",
        TemplateView.as_view(
            template_name="landing.html", extra_context={"version": settings.SPECTACULAR_SETTINGS["VERSION"]}
        ),
        name="landing",
    ),
]

handler400 = "core.http.problem.bad_request"
handler403 = "core.http.problem.forbidden"
handler404 = "core.http.problem.page_not_found"
handler500 = "core.http.problem.server_error"
