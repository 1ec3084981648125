"""What goes in and out as JSON: checked by pydantic; keys and tokens are not shown by ``repr``.

Every body and answer of the HTTP interface is one of these shapes, and `--json` prints the same.
The domain knows nothing of JSON: an answer reads its fields from the attributes of an object.
"""
