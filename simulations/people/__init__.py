"""How people move and stand, where they carry the phone, and recorded tracks."""
