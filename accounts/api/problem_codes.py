"""Codes of problems about access (core.http.problem_codes); those of RFC 6749 are also the member `error`."""

from core.http.problem_codes import Page

CODES = {
    "invalid_client": Page(
        "The client cannot be authenticated",
        (401,),
        "The client is unknown, its secret is wrong, or it or its tenant is no longer active.",
        "Check client_id and client_secret; an operator issues new ones.",
    ),
    "invalid_grant": Page(
        "The refresh token is not valid",
        (401, 400),
        "The refresh token is unknown, was used before, has expired, or belongs to another client.",
        "Request a new grant with the client's credentials; each refresh token works once.",
    ),
    "invalid_request": Page(
        "The token request is malformed",
        (400, 413, 415),
        "A parameter is missing, repeated, or not a string; or the body is neither a form nor JSON, or is larger than "
        "16 KiB.",
        "Send grant_type and the credentials once each, as a form or as JSON.",
    ),
    "invalid_scope": Page(
        "The scope is not granted",
        (400,),
        "The client may not have a requested scope.",
        "Request fewer scopes; `detail` lists those of the client.",
    ),
    "invalid_token": Page(
        "The token is not valid",
        (401,),
        "The token is malformed, expired, or was not issued by this service.",
        "Get a new one from `POST /api/v1/auth/token`.",
    ),
    "more_rights": Page(
        "This has more privileges than you",
        (403,),
        "The account or credential has privileges that you do not have, so you cannot change it.",
        "Ask a colleague with at least the same privileges, such as a superuser.",
    ),
    "rotation_pending": Page(
        "A rotation is under way",
        (409,),
        "The next signing key is published but does not sign yet.",
        "Wait until it signs; the admin and `manage.py rotate_jwks --show` show when.",
    ),
    "invalid_dpop_proof": Page(
        "The DPoP proof is not valid",
        (400,),
        "The proof is missing, malformed, expired, for another request, or was used before.",
        "Create a new proof for each request (RFC 9449); `detail` gives the error.",
    ),
    "replay_store_unavailable": Page(
        "Proofs cannot be checked now",
        (503,),
        "Replays of DPoP proofs cannot be detected at the moment. Callers without proofs are served.",
        "Retry after Retry-After seconds, with a new proof.",
    ),
    "unsupported_grant_type": Page(
        "Unknown grant type",
        (400,),
        "The service does not support this grant_type.",
        "Use one that the OpenAPI document lists.",
    ),
}
