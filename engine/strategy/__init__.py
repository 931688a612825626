"""Campaigns: whom to start with, what that reaches, and what simpler choices would reach for the same money."""
