"""Output of runs: folders of columns, HTML pages without network, pictures."""
