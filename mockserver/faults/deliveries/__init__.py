"""Ways to send an answer, one file each, known by being there.

Each module has ``parse``, which reads what the rule says, and ``deliver``, which returns the
script of the answer changed. Those that are ``LATE`` pace what the others leave of it. The
request has taken effect by then, whatever becomes of it.
"""
