"""Celery: thin tasks that move data between graph and engine."""
