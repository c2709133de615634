"""On disk before it is sent: the durable, bounded, numbered queue of the gateway. Knows nothing of MQTT."""
