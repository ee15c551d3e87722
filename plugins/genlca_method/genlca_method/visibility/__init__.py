"""Which points of a body its pictures show."""
