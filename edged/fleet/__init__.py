"""All boxes on a broker, from what they say of themselves."""
