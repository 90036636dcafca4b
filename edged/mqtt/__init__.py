"""The MQTT side: topics and payloads (pure), one connection (paho), the link that lasts, a subscriber."""
