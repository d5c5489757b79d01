"""The measurements behind tests/bench/run, one file each; report.py is what they have in common."""
