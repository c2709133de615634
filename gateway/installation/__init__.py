"""From a box to a ward and through the years: set up, backed up, restored, upgraded, gone back from, helped from afar.

In come answers, files, keys and packages of whoever looks after the machine; out go configuration, certificates,
backups, bundles, and a link that names the version that runs. It starts programs and asks them; it knows nothing of
devices, metrics or MQTT.
"""
