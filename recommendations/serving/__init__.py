"""Serves lists: reads the stored list or its fallback, and renders a page of it."""
