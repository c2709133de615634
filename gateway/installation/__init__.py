"""The program on this machine: which versions are here, how another one takes its place, and the way back.

What comes in is a package, or a word to go back; what goes out is a link that names the version that runs. It starts
programs and asks them; it knows nothing of devices, metrics or MQTT.
"""
