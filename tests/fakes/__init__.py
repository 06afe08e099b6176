"""Real servers that stand in for outside services; nothing here is imported by the service."""
