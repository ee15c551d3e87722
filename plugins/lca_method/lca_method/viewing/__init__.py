"""``lca view``: an avatar in the browser, moved by sliders or a motion. Without nerfstudio."""
