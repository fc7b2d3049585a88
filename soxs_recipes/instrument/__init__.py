"""What the SOXS cameras share: arms, detectors, header keywords, frame tags."""
