from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Tenants and access"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate  # noqa: PLC0415

        from accounts import checks  # noqa: F401, PLC0415  # registers system checks
        from accounts.api import schema  # noqa: F401, PLC0415  # registers the security scheme
        from accounts.audit import logins  # noqa: F401, PLC0415  # subscribes
        from accounts.staff import roles  # noqa: PLC0415  # registers checks

        post_migrate.connect(roles.after_migrate, dispatch_uid="staff_roles")
