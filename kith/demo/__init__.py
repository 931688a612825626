"""The demo: a generated world through the whole main job."""
