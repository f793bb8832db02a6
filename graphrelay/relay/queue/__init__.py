"""The queue: what is due in each lane, and in which order it is sent."""
