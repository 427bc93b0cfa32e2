"""The property test of deliveries to PostgreSQL: what is its own."""
