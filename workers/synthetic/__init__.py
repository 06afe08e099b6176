"""Synthetic checks: what a customer's systems do with the API, done every half minute from each region.

The runner (`python -m workers.synthetic`) needs a URL and the credentials of a client, and neither Django nor a
database; only `storage` and `collection`, which workers and web processes use, know them.
"""
