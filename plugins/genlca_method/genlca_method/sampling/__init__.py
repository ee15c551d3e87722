"""From prompts to avatars."""
