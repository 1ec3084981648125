"""Who gets no passes for a time: orders, restrictions, appeals; two people, a ground, an end."""
