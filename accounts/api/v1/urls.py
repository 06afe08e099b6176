from django.urls import path

from accounts.api.v1.revoke import RevokeView
from accounts.api.v1.token import TokenView

urlpatterns = [
    path("auth/token", TokenView.as_view(), name="auth-token"),
    path("auth/revoke", RevokeView.as_view(), name="auth-revoke"),
]
