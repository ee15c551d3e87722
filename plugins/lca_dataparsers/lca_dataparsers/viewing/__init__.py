"""Looking at a dataset in the browser."""
