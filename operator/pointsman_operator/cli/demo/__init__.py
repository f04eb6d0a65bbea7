"""`pointsman demo`: three acts on one machine, judged by the simulator's bill.

`story` runs the acts in order; each act is a module; `audit` holds the ledger against the bill.
"""
