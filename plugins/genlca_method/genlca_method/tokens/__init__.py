"""People as structured tokens: what a frozen LCA makes of their pictures, and how it is kept."""
