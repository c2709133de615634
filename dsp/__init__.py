"""Signal processing: samples in arrays become events, and events become results.

Pure functions and streaming operators, knowing nothing of devices, files, clocks or asyncio. A folder for each
operator: ``kernel.py`` holds its compiled loops, ``layout.py`` what they are given and keep, field by field.
``catalogue.py`` names every metric there is.

What is looked for stands where this says:

- when a foot or shank meets and leaves the floor: ``foot/`` and ``shank/``, what they share in ``contact/``;
- whether somebody stands or walks, and from when to when: of a foot that lies still ``foot/landing.py`` (foot-flat)
  and ``foot/kernel.py`` (still, quiet), of a leg at rest ``mounting/alignment.py``, of the trunk ``lower_back/bout.py``
  (which steps are a walk), of a walk that has paused ``gait/gait.py``;
- how long and how high a stride is: ``contact/stride_kernel.py``; cadence, symmetry, variability: ``gait/window.py``;
- how a sensor is turned: ``orientation/``; how it is strapped on: ``mounting/``; the angle of a joint: ``joints/``;
- beats: ``heart/``; how somebody sways who stands still: ``sway/``; freezing of gait: ``freezing/``;
- a tremor: ``tremor/``; use of the arms: ``arms/``; repetitions of an exercise: ``repetitions/``;
- whether samples are in the units they should be in: ``units.py``;
- the same of a whole recording in arrays, a function each: ``whole_recordings/`` (docs/arrays.md).
"""
