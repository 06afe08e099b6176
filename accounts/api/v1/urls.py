from django.urls import path

from accounts.api.v1.end_user_token import EndUserTokenView
from accounts.api.v1.revoke import RevokeView
from accounts.api.v1.token import TokenView

urlpatterns = [
    path("auth/token", TokenView.as_view(), name="auth-token"),
    path("auth/end-user-token", EndUserTokenView.as_view(), name="auth-end-user-token"),
    path("auth/revoke", RevokeView.as_view(), name="auth-revoke"),
]
