from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Tenants and access"

    def ready(self) -> None:
        from accounts import checks, quota_webhooks  # noqa: F401, PLC0415  # registers checks; subscribes
        from accounts.api import schema  # noqa: F401, PLC0415  # registers the security scheme
