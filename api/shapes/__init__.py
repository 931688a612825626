"""What goes in and out: pydantic models; their JSON schemas are the OpenAPI document's."""
