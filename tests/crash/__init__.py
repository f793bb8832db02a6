"""Crashes: the process is stopped at every step that it takes on the disk, the disk fails at every
step, the power goes. What was acknowledged must be there afterwards, whole, and nothing else."""
