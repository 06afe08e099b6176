"""Previews of a placement's rules before they are published."""
