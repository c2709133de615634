"""From a box to a ward and through the years: set up, backed up, restored, upgraded, and looked at from afar.

In come answers, files and keys of whoever looks after the machine; out go configuration, certificates, backups and
bundles. It knows nothing of devices, metrics and pages.
"""
