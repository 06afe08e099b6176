"""What separates tenants, as evidence: the rules of the interface, and the database's own account of its policies."""
