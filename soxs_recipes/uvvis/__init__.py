"""The UV-VIS spectrograph camera."""
