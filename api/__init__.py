"""The Flask API: thin, one blueprint per resource; never loads torch."""
