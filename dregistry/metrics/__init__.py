"""
What a registry counts of itself, in all its processes.

Processes that serve do not use the Prometheus client: they add to cells of memory that they share
(:mod:`._memory`), which takes a tenth of its time and none of its memory. The one that serves the debug address reads
the cells and hands them to it (:mod:`.exposition`). None of this is imported without ``http.debug.addr``.
"""
