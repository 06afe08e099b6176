"""Evidence of tenant isolation: the rules of the interface, and the database's own account of its policies."""
