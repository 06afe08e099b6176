"""The erasure log: keyed digests of users who must not return with an old file or dump."""
