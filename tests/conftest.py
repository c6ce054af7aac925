"""What all fast tests share: how long an example of Hypothesis takes says nothing on a machine that does other things."""

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
