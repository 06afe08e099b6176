from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Tenants and access"

    def ready(self) -> None:
        from accounts import checks  # noqa: F401, PLC0415  # registers the system checks
        from accounts.api import schema  # noqa: F401, PLC0415  # registers the security scheme
