"""How much of one connection a session serves at once, and what it has under way at most."""

ANSWER_BYTES_MAX = 1 << 20
"""Answers made in one go; a client that asks for more than that at once gets it in pieces."""
CHECK_PERIOD = 64
"""Requests on the fast path (a few microseconds each) between two looks at the time and at what was answered."""
LONG_ANSWER_BYTES = 16_384
"""Such an answer is looked at at once."""
PENDING_MAX = 32
"""Requests of one connection that are under way in steps; the next ones wait until one of them is done."""
PENDING_BYTES_MAX = 16 << 20
"""The same of their bodies: one of the greatest length, or many that are short."""
LATE_MAX = 2_048
"""Requests of one connection that other nodes have, without a task of their own."""
LATE_BYTES_APART = 1 << 16
"""So many bytes of requests are told to the limits only when there is something else to tell."""
LONG_BODY_BYTES = 3_000
"""A message of this length is worked on in turns from the start: of the shortest names it selects a thousand columns."""
LONG_BATCH = b"\x02"
"""A batch of 512 statements is such a message, however short its values."""
TURN_S = 0.002
"""How long a strand works before others have their turn."""

FIRST_BYTES_MAX = 1 << 16
"""The longest envelope before READY or a login: only STARTUP, OPTIONS and AUTH_RESPONSE are taken then."""
