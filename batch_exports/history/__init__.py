"""What Dagster keeps of runs, and which of it may go."""
