"""Service level objectives as data, and the Prometheus rules and tables that are generated from them."""
