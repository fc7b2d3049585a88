"""Data-reduction recipes for SOXS, the transient spectrograph of the ESO NTT."""

__version__ = "0.1.0"
