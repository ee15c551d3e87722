"""LCA's networks: plain modules, no nerfstudio."""
