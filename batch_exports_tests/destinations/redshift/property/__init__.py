"""The property test of deliveries to Redshift: what is its own."""
