"""``lca eval``: the paper's table of a trained model, with confidence intervals over people."""
