"""What each verb of `onkocode` does: read, call one function, write, with provenance beside the result.

A module per stage, a function per verb; its options are its parameters, their help its docstring. Nothing heavy is
imported before a verb runs: libraries within functions, models of settings for type checkers only (see `steps.app`).
"""
