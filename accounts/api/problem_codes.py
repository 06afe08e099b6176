"""Codes of problems about access (core.http.problem_codes); those of RFC 6749 are also the member `error`."""

from core.http.problem_codes import Page

CODES = {
    "invalid_client": Page(
        "The client cannot be authenticated",
        (401,),
        "The client is unknown, its secret is wrong, or it or its tenant is no longer active.",
        "Look at client_id and client_secret; an operator issues new ones.",
    ),
    "invalid_grant": Page(
        "The refresh token is not valid",
        (401, 400),
        "The refresh token is unknown, was used before, has ended, or is another client's.",
        "Ask for a new grant with the client's credentials; each refresh token works once.",
    ),
    "invalid_request": Page(
        "The token request is malformed",
        (400, 413, 415),
        "A parameter is missing, stands twice, or is no string; or the body is neither a form nor JSON, or is larger "
        "than 16 KiB.",
        "Send grant_type and the credentials once each, as a form or as JSON.",
    ),
    "invalid_scope": Page(
        "The scope is not granted",
        (400,),
        "The request asks for a scope that the client may not have.",
        "Ask for fewer scopes; `detail` lists those of the client.",
    ),
    "invalid_token": Page(
        "The token is not valid",
        (401,),
        "The token is malformed, expired, or not one of this service.",
        "Get a new one from `POST /api/v1/auth/token`.",
    ),
    "more_rights": Page(
        "This has more rights than you",
        (403,),
        "The account or credential may do more than whoever wants to act upon it.",
        "Ask somebody who may do at least as much, such as a superuser.",
    ),
    "rotation_pending": Page(
        "A rotation is under way",
        (409,),
        "The next signing key is published and does not sign yet.",
        "Wait until it signs; the admin and `manage.py rotate_jwks --show` say when.",
    ),
    "invalid_dpop_proof": Page(
        "The DPoP proof is not valid",
        (400,),
        "The proof is missing or malformed, is not for this request and this moment, or was shown before.",
        "Make a new proof for each request (RFC 9449); `detail` says what was wrong with this one.",
    ),
    "replay_store_unavailable": Page(
        "Proofs cannot be checked now",
        (503,),
        "Whether a DPoP proof was shown before cannot be told now. Callers without proofs are served.",
        "Come back after Retry-After seconds, with a new proof.",
    ),
    "unsupported_grant_type": Page(
        "The grant type is not known",
        (400,),
        "grant_type names a way to a token that does not exist here.",
        "Use one that the OpenAPI document lists.",
    ),
}
