"""People across every slice: what the law gives them, and two of them that turn out to be one."""
