"""Given items in the order that suits one person (docs/adr/0054)."""
