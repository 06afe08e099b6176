"""The ring in Postgres: begun by itself, rotated without a refusal, sealed at rest."""

import io
from datetime import timedelta

import jwt
import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from accounts.keys import jwks, signing_keys
from accounts.models import SigningKey
from accounts.tenancy import tenant_cache
from accounts.tokens import access_tokens
from core import clock, encryption


def issued(cast, now=None):
    return access_tokens.issue(client=cast.acme.admin.client, scopes=["a"], now=now or clock.now())


def kid(token):
    return jwt.get_unverified_header(token)["kid"]


def signing(ring, moment):
    key = ring.current(moment=moment)
    return key and key.kid


def after(now, **delta):
    """The ring as it is then: times are all that its keys go by."""
    return tenant_cache.load().ring, (now + timedelta(**delta)).timestamp()


class TestBegin:
    def test_an_empty_ring_takes_the_given_key_and_signs_at_once(self, db, settings):
        ring = signing_keys.load_ring()
        (row,) = SigningKey.objects.all()

        given = jwks.read_private(settings.JWT_PRIVATE_KEY).public_key()
        assert row.kid == jwks.thumbprint(jwks.members(given))
        assert signing(ring, clock.now().timestamp()) == row.kid

    @pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
    def test_or_makes_one(self, db, settings, algorithm):
        settings.JWT_PRIVATE_KEY, settings.JWT_ALGORITHM = "", algorithm
        (key,) = signing_keys.load_ring().keys.values()

        assert key.algorithm == algorithm
        assert signing_keys.load_ring().keys.keys() == {key.kid}

    def test_es256_tokens_are_accepted_and_published(self, db, settings):
        from tests.cast import make_cast

        settings.JWT_PRIVATE_KEY, settings.JWT_ALGORITHM = "", "ES256"
        cast = make_cast()
        (published,) = tenant_cache.current().ring.published(moment=clock.now().timestamp())

        claims = jwt.decode(cast.acme.admin.token, jwt.PyJWK(published).key, ["ES256"], audience="docent-api")
        assert claims["client_id"] == cast.acme.admin.client.client_id
        assert cast.acme.http.get("/api/v1/items").status_code == 200

    def test_nothing_readable_is_stored(self, db, settings):
        signing_keys.load_ring()
        (row,) = SigningKey.objects.all()

        assert "PRIVATE" not in row.private_sealed
        settings.KEY_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
        with pytest.raises(encryption.DecryptionFailed):
            encryption.decrypt(row.private_sealed, encryption.key_ring())
        assert row.private_sealed not in repr(signing_keys.load_ring())


class TestRotation:
    def test_goes_through_its_stages_and_no_valid_token_is_refused(self, cast, settings):
        now = clock.now()
        old = issued(cast)
        fresh = signing_keys.rotate(now=now)
        ring, at_once = after(now)

        assert {key["kid"] for key in ring.published(moment=at_once)} == {kid(old), fresh.kid}
        assert kid(issued(cast)) == kid(old)  # published, and does not sign yet
        ring, takes_over = after(now, seconds=settings.JWT_PUBLISH_SECONDS)
        assert ring.current(moment=takes_over).kid == fresh.kid
        last = timedelta(seconds=settings.JWT_PUBLISH_SECONDS + jwks.LONGEST_TOKEN_SECONDS)
        assert ring.find(kid(old), moment=(now + last).timestamp()) is not None
        retired = now + last + timedelta(seconds=jwks.SKEW_SECONDS)
        assert ring.find(kid(old), moment=retired.timestamp()) is None
        assert [key["kid"] for key in ring.published(moment=retired.timestamp())] == [fresh.kid]

    def test_a_remembered_token_ends_with_its_key(self, cast):
        now = clock.now()
        token = issued(cast)
        access_tokens.verify(token, now=now)
        SigningKey.objects.update(accepted_until=now + timedelta(seconds=5))
        tenant_cache.load()

        assert access_tokens.verify(token, now=now + timedelta(seconds=4))
        with pytest.raises(access_tokens.TokenRefused):
            access_tokens.verify(token, now=now + timedelta(seconds=5))

    def test_is_not_begun_twice(self, cast):
        now = clock.now()
        signing_keys.rotate(now=now)

        with pytest.raises(signing_keys.RotationPending):
            signing_keys.rotate(now=now)
        assert SigningKey.objects.count() == 2

    def test_of_compromised_keys_refuses_all_they_signed(self, cast):
        now = clock.now()
        token = issued(cast)
        signing_keys.rotate(now=now)
        fresh = signing_keys.replace_compromised(now=now)
        ring, then = after(now, seconds=10)

        assert ring.current(moment=then).kid == fresh.kid
        assert [key["kid"] for key in ring.published(moment=then)] == [fresh.kid]
        with pytest.raises(access_tokens.TokenRefused):
            access_tokens.verify(token, now=now + timedelta(seconds=10))
        assert kid(issued(cast, now + timedelta(seconds=11))) == fresh.kid


class TestTend:
    def test_rotates_a_key_that_is_old_and_only_then(self, cast, settings):
        now = clock.now()
        old = timedelta(days=settings.JWT_ROTATE_DAYS)

        assert not signing_keys.maintain(now=now)
        assert signing_keys.maintain(now=now + old)
        assert not signing_keys.maintain(now=now + old)  # it is under way
        assert SigningKey.objects.count() == 2
        settings.JWT_ROTATE_DAYS = 0
        assert not signing_keys.maintain(now=now + 3 * old)

    def test_takes_away_what_no_longer_signs_and_in_the_end_the_row(self, cast, settings):
        settings.JWT_ROTATE_DAYS = 0
        now = clock.now()
        (before,) = SigningKey.objects.all()
        fresh = signing_keys.rotate(now=now)
        signing_keys.maintain(now=fresh.signs_from + timedelta(seconds=1))
        assert not SigningKey.objects.filter(private_sealed="").exists()  # another host's clock may be behind
        signing_keys.maintain(now=fresh.signs_from + timedelta(seconds=61))
        assert list(SigningKey.objects.filter(private_sealed="")) == [before]
        signing_keys.maintain(now=now + timedelta(days=32))

        assert list(SigningKey.objects.all()) == [fresh]
        assert signing(tenant_cache.load().ring, (now + timedelta(days=32)).timestamp()) == fresh.kid


class TestCommand:
    def run(self, *options):
        out = io.StringIO()
        call_command("rotate_jwks", *options, stdout=out)
        return out.getvalue()

    def test_rotates_and_shows_the_ring(self, db):
        assert " current " in self.run("--show")
        said = self.run()

        assert (" next " in said, " current " in said, "accepted until" in said) == (True, True, True)
        with pytest.raises(CommandError, match="next key is published"):
            self.run()
        assert " retiring" not in self.run("--compromised")

    def test_seals_anew_so_that_the_old_key_can_go(self, cast, settings):
        old, new = settings.KEY_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
        settings.KEY_ENCRYPTION_KEYS = [new, old]
        assert "Encrypted 1 keys again" in self.run("--reseal")
        settings.KEY_ENCRYPTION_KEYS = [new]
        tenant_cache.load()

        assert access_tokens.verify(issued(cast), now=clock.now())

    def test_a_lost_key_is_told_and_nothing_is_issued(self, cast, settings):
        settings.KEY_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
        jwks._private.cache_clear()

        with pytest.raises(access_tokens.CannotSign):
            issued(cast)
        assert cast.acme.http.get("/api/v1/items").status_code == 200  # those that were issued are good
        with pytest.raises(CommandError, match="KEY_ENCRYPTION_KEYS"):
            self.run("--reseal")
