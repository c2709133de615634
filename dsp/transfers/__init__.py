"""Rising, sitting down, turning, and the timed tests of them, from one sensor worn any way round.

``transfers.py`` is the operator: it takes means of 50 ms (``bins.py``), finds which way is up (``motion.py``), and
looks for turns (``turns.py``) and for transfers of a thigh or wrist (``limb.py``) or of the trunk (``trunk.py``).
``tug.py`` and ``chair_stands.py`` put tests together, ``measured.py`` is a session of one. Another way to find
transfers is another class with ``process`` and ``finish``, as in ``trunk.py``.
"""
