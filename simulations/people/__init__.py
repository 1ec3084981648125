"""People: how they move and stand, where they carry a phone, recorded tracks."""
