"""The ward as it is: who is in which bed, wearing what, in which session, since when; and the changes that made it so.

Changes come in, checked and numbered and on disk before they are answered; what the analysis goes by comes out
(`gateway.model.ward`). Knows nothing of MQTT, devices' bytes or metrics.
"""
