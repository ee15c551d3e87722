"""Pictures, videos and tables that show what a trained model does."""
