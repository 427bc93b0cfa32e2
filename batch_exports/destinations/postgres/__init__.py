"""Where rows go when they go to PostgreSQL."""
