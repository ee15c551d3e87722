"""The paper's tables in miniature, on synthetic people: ``python -m benchmarks.paper_tables table1``."""
