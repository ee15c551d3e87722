"""Looking into trained models: what codes, tokens and attention tell."""
