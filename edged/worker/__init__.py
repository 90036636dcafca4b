"""The process of one model version: the program that runs in it, and the daemon's end of it.

Native code that loads strangers' files crashes, hangs and grows; only a process can be bounded and killed. What was
loaded, warmed up and proved in it is what serves.
"""
