"""Runs to look at: folders of columns, pages without network, pictures."""
