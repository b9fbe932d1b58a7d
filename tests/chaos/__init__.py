"""The crash matrix: every step of an operation dies once at every point where a death could tell, and then lives on.

    points.py   where one can die, and the memory of who has
    hooks.py    how a process is made to die there: around DBOS's checkpoints and around the clients' requests
    helm.py     the same around the helm process: a program in its place
    life.py     one process of Podium: from launch to the operation's end, or to its own
    nursery.py  the parent that forks life after life until the operation has ended
    matrix.py   a sandbox, an operation run in a nursery, and what is to be seen of it afterwards
    effects.py  what AWS's call log says was done how often
    normal.py   what is told apart and what is not when two runs are compared
    aws_picture.py, cluster_picture.py, picture.py   what is there, seen from outside, in that form

Nothing here knows the steps: they are found by running the operation once without a crash.
"""
