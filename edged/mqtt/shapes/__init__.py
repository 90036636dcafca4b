"""The documented shape of each payload, a file a topic: pydantic models, of which the JSON Schemas are made."""
