"""Estimates of what a version of a placement's rules would bring, from the pages that others have shown."""
