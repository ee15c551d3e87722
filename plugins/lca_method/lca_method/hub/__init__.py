"""The Hugging Face Hub: models, avatars and datasets pushed, pulled, and used by name."""
