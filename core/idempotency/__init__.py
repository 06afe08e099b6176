"""Idempotency-Key: a write that is sent again takes effect once, and is answered as the first time.

After draft-ietf-httpapi-idempotency-key-header-07. PostgreSQL keeps the keys, so losing Redis loses none.

1. `claims.claim` takes the key in a short transaction of its own and leaves a lease.
2. The effect runs in one transaction, and `claims.complete` stores the answer in that same transaction: both are
   committed or neither is. A process that dies in between leaves a lease that ends; the next request with the key runs.
3. A request that changed nothing gives its key back (`claims.release`): refusals are not stored and may be repeated.

`decorator.idempotent` is all that a write view needs.
"""
