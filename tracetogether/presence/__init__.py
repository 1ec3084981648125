"""Visits and trips: posters, visits kept on the phone, and warnings of places."""
