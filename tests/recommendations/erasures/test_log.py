"""The log of erasures: who it knows, and who cannot find out."""

import hashlib

from accounts.tenancy import scope
from recommendations.erasures import log
from recommendations.models import Erasure

URL = "/api/v1/users/ada"


class TestDigest:
    def test_cannot_be_made_without_the_key(self, cast, settings):
        acme = cast.acme.tenant.pk
        settings.ERASURE_KEY = "one"
        made = log.digest(acme, "ada")
        settings.ERASURE_KEY = "another"

        assert made != log.digest(acme, "ada")
        guesses = {f"{before}ada".encode() for before in ("", f"{acme}", f"{acme}:", f"{acme}\x1f", "end user\x1f")}
        assert made not in {hashlib.sha256(guess).hexdigest() for guess in guesses}

    def test_is_keyed_with_the_secret_key_where_there_is_no_other(self, settings):
        made = log.digest(1, "ada")
        settings.ERASURE_KEY = settings.SECRET_KEY

        assert log.digest(1, "ada") == made

    def test_differs_by_tenant_and_person(self):
        assert len({log.digest(tenant, name) for tenant in (1, 11) for name in ("1a", "a")}) == 4


class TestErasedAmong:
    def test_tells_who_was_erased_last_and_when(self, cast):
        acme = cast.acme.tenant.pk
        for _ in range(2):
            cast.acme.http.put(URL, {}, format="json")
            receipt = cast.acme.http.delete(URL).json()

        with scope.tenant(acme):
            found = log.erased_among(tenant_id=acme, user_ids={"ada", "bob"})
            entries = Erasure.objects.count()
        assert {name: at.isoformat().replace("+00:00", "Z") for name, at in found.items()} == {
            "ada": receipt["erased_at"]
        }
        assert entries == 2

    def test_knows_nobody_of_another_tenant(self, cast):
        cast.globex.http.put(URL, {}, format="json")
        cast.globex.http.delete(URL)

        with scope.tenant(cast.acme.tenant.pk):
            assert log.erased_among(tenant_id=cast.acme.tenant.pk, user_ids={"ada"}) == {}
            assert not Erasure.objects.exists()
