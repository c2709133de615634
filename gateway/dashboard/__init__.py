"""The web pages: what is flowing now and what was, read over MQTT and from the history; a process of its own."""
