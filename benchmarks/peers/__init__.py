"""Other ways over the same hops, each as its own documentation advises; one file a peer.

`CAN` of each tells what it can do: a function for each hop and way. They run in `.venv-bench`,
ingestr in `.venv-bench-ingestr`, and load what they need when they run.
"""
