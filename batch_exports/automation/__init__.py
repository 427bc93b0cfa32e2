"""What makes exports run unattended."""
