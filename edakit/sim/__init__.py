"""Drives the rules in virtual time.

`kernel` who runs next · `network` messages on their way · `faults` what may go wrong, as data · `runtime` instances and `ctx` ·
`brokers`, `streams`, `server`, `sagas`, `database` the rules driven · `world` what these share · `deployment`, `clients`, `topology` ·
`lab` the facade · `scenario` run and fork.
"""
