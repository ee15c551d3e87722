"""The dataset on disk: ``AvatarDataset.open`` reads one, ``DatasetWriter`` writes one."""
