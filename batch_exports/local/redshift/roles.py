"""The IAM role of the emulator's cluster in the demo and in tests."""

ROLE_ARN = "arn:aws:iam::123456789012:role/batch-exports-copy"
"""The role that COPY and UNLOAD name; it stands for the S3 part's key pair."""
