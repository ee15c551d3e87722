"""How good generated people are."""
