"""Data subject rights across all slices: export, erasure, retention; and merging of users."""
