"""Public captures as they lie on disk, brought to one form: cameras, pictures, masks, lights, backgrounds."""
