"""What a server counts of what it does, and the faces that show it.

`meters.py` is what requests touch: a `RequestMeter` for each table and kind of request, whose count the fast paths raise.
How long requests take is not measured of each: of one every SAMPLE_S (`sampling.py`), which stands for all of its meter
since the one before. `histograms.py`: Cassandra's decaying reservoirs. `rates.py`: its moving averages.
"""
