"""Changing avatars: some tokens made anew, the others kept as they are."""
