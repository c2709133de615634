"""Signal processing: samples in arrays become events, and events become results.

Pure functions and streaming operators, knowing nothing of devices, files, clocks or asyncio. ``*_kernel.py`` holds the
compiled loops, ``*_layout.py`` what they remember, ``catalogue.py`` every metric there is.
"""
