"""End-to-end simulator of raw SOXS frames with known truth."""
