"""Signatures against the specification's own example, and sealed secrets."""

from datetime import UTC, datetime

import pytest

from core.webhooks import signatures


def test_are_those_of_the_specification():
    # The example of the Standard Webhooks specification's reference libraries.
    signed = signatures.signed_headers(
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        sent_at=datetime.fromtimestamp(1614265330, UTC),
        body='{"test": 2432232314}',
        with_secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )

    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_256_random_bits_and_sealed_in_the_database(settings):
    secret = signatures.new_secret()
    sealed = signatures.encrypt_secret(secret)

    assert secret.startswith("whsec_")
    assert secret[6:] not in sealed
    assert signatures.decrypt_secret(sealed) == secret
    settings.SECRET_KEY = "another" * 10
    with pytest.raises(signatures.SecretUnreadable):
        signatures.decrypt_secret(sealed)
