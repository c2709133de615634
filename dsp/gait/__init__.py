"""Contacts of both legs to the metrics of gait."""
