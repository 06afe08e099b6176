"""Infrastructure without domain nouns: errors, logs, Redis, HTTP, health. Has no tenant model."""
