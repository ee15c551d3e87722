"""What a training step of the transformer sees and computes, without nerfstudio."""
