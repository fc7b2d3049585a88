"""The near-infrared spectrograph camera."""
