"""The flow-matching transformer over latents."""
