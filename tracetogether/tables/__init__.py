"""Tables: read CSV, arrays and data frames into columns, recognise times, write spreadsheets."""
