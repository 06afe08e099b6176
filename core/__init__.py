"""What every service needs and no domain noun: errors, logs, Redis, pages, health. Knows no tenant model."""
