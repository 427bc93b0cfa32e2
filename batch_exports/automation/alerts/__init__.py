"""What is told to people: failures, pauses, red checks, lateness, and that they are over."""
