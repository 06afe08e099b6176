"""Django's PostgreSQL backend, which waits for the server no longer than the request may last (core.deadline).

`DATABASES` names this package as ENGINE; Django loads `base.DatabaseWrapper` from it.
"""
