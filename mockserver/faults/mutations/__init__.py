"""Changes of an answer that went well, one file each, known by being there.

Each module has ``parse``, which reads what the rule says, and ``mutate``, which changes the
answer. ``BYTES`` says that it works on bytes, after all that work on what they say; a ``LATE``
below nothing says that it comes before those. ``watch`` is shown every good answer that the
rule matches, before it is changed, fired or not. What is remembered from one answer to the
next lies in ``memory``, a mapping of the rule's own.
"""
