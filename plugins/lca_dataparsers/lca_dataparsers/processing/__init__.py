"""From pixels to masks, landmarks, expression, gaze and a fitted body."""
