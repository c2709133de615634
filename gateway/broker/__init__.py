"""The link to the MQTT broker: TLS, who may do what, and the broker of our own. Knows nothing of what is sent."""
