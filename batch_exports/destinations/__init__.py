"""Where rows go. One folder a destination; `delivery` is what all of them promise."""
