"""The query log: what clients asked, and what they were answered.

`recording.py` keeps requests and answers as the bytes that they came and went as, a tuple for each go of a session, so that
it costs next to nothing; `entries.py` makes sense of them when somebody asks (`server.queries()`); `habits.py` finds what
strict mode has something against.
"""
