"""Signal processing: samples in arrays become events, and events become results.

Pure functions and streaming operators, knowing nothing of devices, files, clocks or asyncio. A folder for each
operator: ``kernel.py`` holds its compiled loops, ``layout.py`` what they remember. ``catalogue.py`` names every metric
there is.
"""
