"""Amazon Redshift as a destination: tables in a warehouse."""
