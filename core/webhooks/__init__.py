"""Signed messages to tenants' endpoints, after the Standard Webhooks specification
(https://www.standardwebhooks.com): written in the transaction of the event, retried for days."""
