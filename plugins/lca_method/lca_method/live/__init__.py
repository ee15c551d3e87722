"""What drives an avatar while it happens: a webcam, or a phone that sends a face's coefficients."""
