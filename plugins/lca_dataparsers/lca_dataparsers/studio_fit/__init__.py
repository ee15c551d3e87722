"""One body fitted to all cameras of a rig and all moments at once."""
