"""A dataset as WebDataset tar files with an index: ``ShardedDataset.open`` reads, ``write_shards`` writes."""
