"""Cases and the contacts under follow-up as they are kept, with notes and indicators."""
