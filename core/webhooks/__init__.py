"""Signed messages to tenants' own addresses, after the Standard Webhooks specification
(https://www.standardwebhooks.com): written with the fact they tell, delivered until they arrive or days have passed."""
