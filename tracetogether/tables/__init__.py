"""Tables: files of columns read into numpy, and rows written as files."""
