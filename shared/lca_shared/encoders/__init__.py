"""Image encoders behind one protocol."""
