"""The rehearsal: a crowd of simulated shoppers plays a whole sale over HTTP and then judges what it saw.

The crowd knows nothing that shoppers and the public documents would not tell it, the limits of the door among it.
What it plays is in `habits`, `browser`, `shopper` and `crowd`; what it saw is written down in `story`; the verdict,
made from nothing else, is in `verdict`, `line_checks`, `door_checks`, `shop_checks`.
"""
