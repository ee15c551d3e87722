"""Finished avatars: made once from a trained model, driven without it."""
