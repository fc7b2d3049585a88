"""Static calibrations, one readable file each."""
